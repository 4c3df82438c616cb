"""The same figures in JSON, in a few numbers each, for those who have no Prometheus.

A request is an exchange that has ended, and an error is one with another outcome than ok. So in every answer:
total_requests = total_errors + those that succeeded, total_streams = successful_streams + failed_streams, and
success_rate = 1 - error_rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any

from chaosproxy.control.figures import Figures
from chaosproxy.control.outcomes import Cause, Outcome
from chaosproxy.errors import UserError

SLO_TARGET = 0.99
"""The share of requests that should succeed, unless ``?target=`` says another."""


def summary(figures: Figures) -> dict[str, Any]:
    """How much, how often and how long; seconds."""
    total = figures.exchanges.total()
    spent_s = sum(histogram.sum_s for histogram in figures.durations.values())
    return {
        "total_requests": total,
        "requests_per_second": figures.per_second,
        "avg_response_time": spent_s / total if total else 0.0,
        "uptime_s": figures.age_s,
    }


def events(figures: Figures) -> dict[str, Any]:
    """The journal: records that came, and how many of them are in these figures."""
    return {
        "events_published": figures.records,
        "events_processed": figures.taken,
        "queue_depth": figures.records - figures.taken,
    }


def errors(figures: Figures) -> dict[str, Any]:
    """How many failed, and whose failures these are; the causes add up to all errors."""
    total, failed = _totals(figures)
    causes = {cause: sum(count for key, count in figures.failures.items() if key[-1] == cause) for cause in Cause}
    return {
        "total_requests": total,
        "total_errors": failed,
        "error_rate": failed / total if total else 0.0,
        "errors_by_cause": causes,
    }


def streaming(figures: Figures) -> dict[str, Any]:
    """Requests that asked for a stream; a cut one has failed, also when it was cut cleanly."""
    return {
        "total_streams": figures.streams.total(),
        "successful_streams": figures.streams[True],
        "failed_streams": figures.streams[False],
        "ttft_percentiles": _percentiles(sorted(figures.ttfts_s)),
    }


def slo(figures: Figures, target: float = SLO_TARGET) -> dict[str, Any]:
    """The share that succeeded, and what is left of the failures that ``target`` allows: 1 is all, 0 none."""
    total, failed = _totals(figures)
    spent = failed / total / (1 - target) if total else 0.0
    return {
        "success_rate": 1 - failed / total if total else 1.0,
        "slo_target": target,
        "error_budget_remaining": max(0.0, 1 - spent),
        "error_budget_spent": spent,
    }


SUMMARIES: Mapping[str, Callable[[Figures], dict[str, Any]]] = {
    "/metrics": summary,
    "/metrics/events": events,
    "/metrics/errors": errors,
    "/metrics/streaming": streaming,
    "/metrics/slo": slo,
}


def read_target(text: str) -> float:
    """``0.999`` or ``99.9%``. Raises UserError unless it lies between 0 and 1."""
    try:
        target = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        target = -1.0
    if not 0 <= target < 1:
        raise UserError(f"target: expected a share below 1, such as 0.999 or 99.9%25, got {text!r}")
    return target


def _totals(figures: Figures) -> tuple[int, int]:
    total = figures.exchanges.total()
    return total, total - sum(count for key, count in figures.exchanges.items() if key[-1] == Outcome.OK)


def _percentiles(sorted_s: Sequence[float]) -> dict[str, float] | None:
    """Nearest rank, in seconds, of the newest streams; None when no stream has had content."""
    if not sorted_s:
        return None
    return {f"p{share}": sorted_s[ceil(len(sorted_s) * share / 100) - 1] for share in (50, 90, 95, 99)}
