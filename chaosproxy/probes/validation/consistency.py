"""Whether the metrics of a server fit together, and fit what was asked of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

REQUESTS_APART_MAX = 2
"""Pages are read one after another, and a server counts meanwhile."""
RATE_APART_MAX = 0.02
PAGES: Mapping[str, tuple[str, ...]] = {
    "/metrics": ("total_requests", "requests_per_second", "avg_response_time"),
    "/metrics/events": ("events_published", "events_processed", "queue_depth"),
    "/metrics/errors": ("total_requests", "total_errors", "error_rate"),
    "/metrics/streaming": ("total_streams", "successful_streams", "failed_streams", "ttft_percentiles"),
    "/metrics/slo": ("success_rate", "error_budget_remaining", "slo_target"),
}
"""The pages, and the numbers that each must have; ``ttft_percentiles`` is an object or null."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str = ""


def page_check(path: str, page: Any) -> Check:
    """Whether a page has all its numbers."""
    if not isinstance(page, dict):
        return Check(path, ok=False, detail=page if isinstance(page, str) else "not a JSON object")
    wrong = [name for name in PAGES[path] if not _fits(name, page.get(name, "missing"))]
    return Check(path, not wrong, f"wrong or missing: {', '.join(wrong)}" if wrong else "")


def consistency(pages: Mapping[str, Mapping[str, Any]], asked: int, before: Mapping[str, Any]) -> Iterator[Check]:
    """What must be true of pages that all passed ``page_check``.

    ``asked`` requests were made since ``before`` was read, which is /metrics of that time.
    """
    total, errors = pages["/metrics"]["total_requests"], pages["/metrics/errors"]
    streams, slo, events = pages["/metrics/streaming"], pages["/metrics/slo"], pages["/metrics/events"]
    yield _near("total_requests of two pages", total, errors["total_requests"], REQUESTS_APART_MAX)
    yield _near("requests counted", total - before["total_requests"], asked, REQUESTS_APART_MAX)
    whole = streams["successful_streams"] + streams["failed_streams"]
    yield _near("streams: successful + failed", whole, streams["total_streams"], 0)
    yield _near("success_rate + error_rate", slo["success_rate"] + errors["error_rate"], 1, RATE_APART_MAX)
    rate = errors["total_errors"] / errors["total_requests"] if errors["total_requests"] else 0
    yield _near("error_rate of its own counts", errors["error_rate"], rate, RATE_APART_MAX)
    yield _near("error budget", slo["error_budget_remaining"], _budget(slo), RATE_APART_MAX)
    flow = 0 < events["events_processed"] <= events["events_published"]
    yield Check("events flow", flow, f"{events['events_processed']} of {events['events_published']} processed")


def _budget(slo: Mapping[str, Any]) -> float:
    """What is left of the failures that the target allows: 1 is all, 0 none."""
    allowed = 1 - slo["slo_target"]
    return float(max(0.0, 1 - (1 - slo["success_rate"]) / allowed)) if allowed > 0 else 0.0


def _near(name: str, one: float, other: float, apart: float) -> Check:
    return Check(name, abs(one - other) <= apart + 1e-9, f"{one:g} and {other:g}")


def _fits(name: str, value: Any) -> bool:
    if name == "ttft_percentiles":
        return value is None or isinstance(value, dict)
    return isinstance(value, int | float) and not isinstance(value, bool)
