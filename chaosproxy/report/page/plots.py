"""What the page's script draws, as JSON that can stand inside HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chaosproxy.errors import printable
from chaosproxy.report.facts.effects import Effect
from chaosproxy.report.facts.gather import Facts
from chaosproxy.report.facts.timeline import Curves, Timeline
from chaosproxy.steady_state.findings import FaultAccount, Verdict
from chaosproxy.steady_state.outcome import Outcome


def plots_json(facts: Facts, verdict: Verdict | None, anchors: Mapping[str, str]) -> str:
    """Without ``<``, ``>`` and ``&``, so that no text in it can end the element that it stands in."""
    accounts = {} if verdict is None else {account.id: account for account in verdict.faults}
    timeline = facts.timeline
    values = {
        "from_s": _short(timeline.from_s),
        "to_s": _short(timeline.to_s),
        "faults": [_fault(effect, accounts.get(effect.id)) for effect in facts.effects],
        "points": _points(timeline),
        "curves": _curves(timeline.curves),
        "worst": [
            {
                "id": printable(one.id),
                "outcome": one.outcome,
                "at_s": _short(one.at_s),
                "content": [_short(at) for at in one.content],
                "end": _short(one.end),
                "struck": [[_short(at), printable(words)] for at, words in one.struck],
                "longest": [_short(at) for at in one.longest],
            }
            for one in facts.streams.worst
        ],
        "gaps": {
            "at": [_short(at) for at in facts.streams.gaps.at],
            "from_ms": [_short(value) for value in facts.streams.gaps.from_ms],
            "counts": facts.streams.gaps.counts,
        },
        "anchors": {printable(call): anchor for call, anchor in anchors.items()},
    }
    text = msgspec.json.encode(values).decode("utf-8")
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _fault(effect: Effect, account: FaultAccount | None) -> dict[str, Any]:
    return {
        "id": printable(effect.id),
        "what": printable(" at ".join(filter(None, (effect.type, " and ".join(effect.listeners))))),
        "from": _short(effect.applied_at_s),
        "to": _short(effect.healed_at_s),
        "planned_from": None if account is None else _short(account.planned_at_s),
        "planned_lasts": None if account is None else _short(account.planned_lasts_s),
        "failover": None if account is None else _short(account.failover_s),
        "recovery": None if account is None else _short(account.recovery_s),
        "ticks": [_short(at) for at in effect.ticks],
        "hits": effect.hits,
    }


def _points(timeline: Timeline) -> dict[str, Any]:
    """Columns; outcomes and servers as indexes, ids without the beginning that all of them have."""
    points = timeline.points
    outcomes = sorted({point[2] for point in points}, key=lambda outcome: (outcome != Outcome.OK, outcome))
    servers = sorted({point[4] for point in points})
    ids = [printable(point[3]) for point in points]
    prefix = _common(min(ids), max(ids)) if ids else ""
    return {
        "x": [_short(point[0]) for point in points],
        "y": [_short(point[1]) for point in points],
        "outcome": [outcomes.index(point[2]) for point in points],
        "server": [servers.index(point[4]) for point in points],
        "id": [name[len(prefix) :] for name in ids],
        "prefix": prefix,
        "outcomes": outcomes,
        "servers": [printable(name) for name in servers],
    }


def _curves(curves: Curves) -> dict[str, Any]:
    return {
        "at": [_short(at) for at in curves.at],
        "width_s": curves.width_s,
        "success": [_short(value) for value in curves.success],
        "ttft_p50": [_short(value) for value in curves.ttft_p50],
        "ttft_p99": [_short(value) for value in curves.ttft_p99],
        "served": {printable(name): [_short(value) for value in values] for name, values in curves.served.items()},
        "in_flight": list(curves.in_flight),
    }


def _common(first: str, last: str) -> str:
    length = next((index for index, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[: min(length, len(last))]


def _short(value: float | None) -> float | None:
    """To a tenth of a millisecond."""
    return None if value is None else round(value, 4)
