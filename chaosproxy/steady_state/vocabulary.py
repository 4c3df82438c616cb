"""The measures that exist: name, unit, what they need. The parser and the linter read this table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from chaosproxy.errors import BadValue
from chaosproxy.units import parse_duration, parse_rate, parse_share

if TYPE_CHECKING:
    from chaosproxy.steady_state.history import Story


class Unit(Enum):
    """What the values of a measure are, in words; code keeps seconds, 0..1, counts and per second."""

    SHARE = "share"
    SECONDS = "seconds"
    COUNT = "count"
    NUMBER = "number"
    PER_SECOND = "per_second"


class Needs(Enum):
    """Where a measure's facts come from."""

    CLIENT = "client"  # the load, or an entry listener of ours
    EXCHANGES = "exchanges"  # the listeners in front of the backends
    FAULT = "fault"  # the faults' own marks and hits
    PROBE = "probe"  # what the run itself looks at
    RUN = "run"  # the clock


class Takes(Enum):
    """What stands in a measure's parentheses."""

    NOTHING = "nothing"
    FAULT = "fault"
    BACKEND = "backend"
    PROBE = "probe"
    OBJECTIVES = "objectives"
    TIME = "time"


class Better(Enum):
    """The direction in which users are happier."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row. ``sampled``: a value per call (or gap), so that an aggregate makes one number of them.

    ``aggregate`` is the default one; a sampled measure without it has to be written with one.
    """

    name: str
    unit: Unit
    needs: Needs
    better: Better
    meaning: str
    takes: Takes = Takes.NOTHING
    sampled: bool = False
    aggregate: str | None = None
    abort_only: bool = False
    value_of: Callable[[Story], float | None] | None = None
    """Of a measure of the user's: the value of one call."""

    def unit_of(self, aggregate: str | None) -> Unit:
        """The unit of the value: that of the measure, but for ``.count``."""
        return Unit.COUNT if aggregate == "count" else self.unit


AGGREGATES = ("mean", "min", "max", "count", "sum")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")


def percentile(aggregate: str) -> float | None:
    """0.99 of ``p99``; None when the aggregate is not a percentile between p1 and p99.9."""
    match = _PERCENTILE.fullmatch(aggregate)
    return float(match[1]) / 100 if match and 1 <= float(match[1]) <= 99.9 else None


def _share(name: str, better: Better, meaning: str, takes: Takes = Takes.NOTHING) -> Measure:
    return Measure(name, Unit.SHARE, Needs.CLIENT, better, meaning, takes)


def _calls(name: str, meaning: str) -> Measure:
    return Measure(name, Unit.COUNT, Needs.CLIENT, Better.LOWER, meaning)


def _times(name: str, meaning: str) -> Measure:
    return Measure(name, Unit.SECONDS, Needs.CLIENT, Better.LOWER, meaning, sampled=True)


def _fault_time(name: str, meaning: str) -> Measure:
    return Measure(name, Unit.SECONDS, Needs.FAULT, Better.LOWER, meaning, Takes.FAULT)


_ROWS = (
    _share("success", Better.HIGHER, "calls with outcome ok, of all calls sent"),
    _share("error_rate", Better.LOWER, "calls that were not ok and said so (error, timeout, hung), of all calls sent"),
    _share("timeout_rate", Better.LOWER, "calls that ran into their timeout or hung, of all calls sent"),
    _share(
        "content_intact", Better.HIGHER, "calls passed off as whole whose text is whole, of all passed off as whole"
    ),
    _calls("hung", "calls that did not even end at their timeout"),
    _calls("silent_truncated", "calls that ended as if complete, with a text that is only the beginning"),
    _calls("silent_empty", "calls that ended as if complete, without any text"),
    _calls("silent_corrupt", "calls that ended as if complete, with a text that differs inside"),
    _calls("duplicated", "calls whose text began anew after some content"),
    _calls("leaked", "calls that contain another call's tag"),
    _times("ttft", "first non-empty content, reasoning or tool delta, from the intended send time"),
    _times("ttfb", "status line and headers, from the intended send time"),
    _times("icl", "inter-chunk latency: each gap between two content events"),
    _times("tpot", "(last content - first content) / (output tokens - 1), for calls of two tokens or more"),
    _times("e2e", "the end of the answer, from the intended send time"),
    _times("stall", "the longest gap between two content events of a call"),
    Measure(
        "goodput",
        Unit.PER_SECOND,
        Needs.CLIENT,
        Better.HIGHER,
        "calls with outcome ok that also meet every objective, per second of the window",
        Takes.OBJECTIVES,
    ),
    Measure(
        "throughput", Unit.PER_SECOND, Needs.CLIENT, Better.HIGHER, "calls with outcome ok, per second of the window"
    ),
    _share("throughput_kept", Better.HIGHER, "ok calls of the window's last third, relative to those of its first"),
    _share("apdex", Better.HIGHER, "ok calls within T, and half of those within 4 T (e2e), of all sent", Takes.TIME),
    _share("workflow_success", Better.HIGHER, "journeys all steps of which were done, of all that began in the window"),
    _share("steps_done", Better.HIGHER, "steps of these journeys that were done, of all that they have"),
    Measure(
        "usage_error",
        Unit.SHARE,
        Needs.CLIENT,
        Better.LOWER,
        "how far the reported output tokens are from the expected ones, relative to these",
        sampled=True,
        aggregate="mean",
    ),
    Measure(
        "retries_per_call",
        Unit.NUMBER,
        Needs.EXCHANGES,
        Better.LOWER,
        "requests that reached our listeners for a call, minus one",
        sampled=True,
        aggregate="mean",
    ),
    Measure(
        "overhead",
        Unit.SECONDS,
        Needs.EXCHANGES,
        Better.LOWER,
        "the first content at the client, from when our listener had sent it (of a plain answer, its end)",
        sampled=True,
    ),
    Measure(
        "added_delay",
        Unit.SECONDS,
        Needs.EXCHANGES,
        Better.NEITHER,
        "how much later a listener sent the first content than its upstream, where a fault hit",
        sampled=True,
    ),
    Measure(
        "requests_per_success",
        Unit.NUMBER,
        Needs.EXCHANGES,
        Better.LOWER,
        "requests that reached our listeners for the calls of the window, per call with outcome ok",
    ),
    Measure("upstream_requests", Unit.COUNT, Needs.EXCHANGES, Better.NEITHER, "requests that reached our listeners"),
    Measure(
        "cost",
        Unit.NUMBER,
        Needs.EXCHANGES,
        Better.LOWER,
        "what the requests that reached the upstreams cost, in the money of safety.prices",
    ),
    Measure(
        "served_by",
        Unit.SHARE,
        Needs.EXCHANGES,
        Better.NEITHER,
        "answered calls whose answer came from this backend, of all answered calls",
        Takes.BACKEND,
    ),
    Measure(
        "abandoned_upstream",
        Unit.COUNT,
        Needs.EXCHANGES,
        Better.LOWER,
        "requests that still ran at a listener after the call that they belong to had ended",
    ),
    Measure(
        "retry_after_ignored",
        Unit.COUNT,
        Needs.EXCHANGES,
        Better.LOWER,
        "requests for a call that came before the Retry-After had passed which the same listener gave that call",
    ),
    Measure(
        "hits", Unit.COUNT, Needs.FAULT, Better.NEITHER, "requests or connections that the fault acted on", Takes.FAULT
    ),
    _fault_time("applied_late", "from the planned to the real begin of the fault"),
    _fault_time("failover_time", "from the fault's begin to the first answer of a lasting span of success"),
    _fault_time("recovery_time", "from the fault's end to the first answer of a span in which its targets serve again"),
    Measure("probe.success", Unit.SHARE, Needs.PROBE, Better.HIGHER, "runs that succeeded, of all runs", Takes.PROBE),
    Measure("probe.value", Unit.NUMBER, Needs.PROBE, Better.NEITHER, "the value of a run", Takes.PROBE, sampled=True),
    Measure("elapsed", Unit.SECONDS, Needs.RUN, Better.LOWER, "since the run began, warm-up included", abort_only=True),
)


class Measures(Mapping[str, Measure]):
    """Measures by their names: ``own`` ones first, then registered ones in their order."""

    def __init__(self, own: Iterable[Measure]) -> None:
        self._own = {row.name: row for row in own}
        self._registered: dict[str, Measure] = {}

    def __getitem__(self, name: str) -> Measure:
        return self._own[name] if name in self._own else self._registered[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._own, *self._registered])

    def __len__(self) -> int:
        return len(self._own) + len(self._registered)

    def register(self, row: Measure) -> None:
        """Add a user's measure; the same one twice is no mistake. Raises BadValue with what is wrong with it."""
        if _OWN_NAME.fullmatch(row.name) is None:
            raise BadValue(f"a measure is called like acme_refusals, at most 40 of a-z, 0-9 and _, got {row.name!r}")
        if not row.meaning:
            raise BadValue(f"measure {row.name!r} misses a docstring that says what it measures")
        if row.unit is Unit.PER_SECOND or row.needs not in (Needs.CLIENT, Needs.EXCHANGES):
            raise BadValue(f"measure {row.name!r} is a share, seconds, a count or a number, of calls or of exchanges")
        if row.name in (*self._own, *NOT_YET, "probe"):
            raise BadValue(f"{row.name!r} is a measure of chaosproxy's own, choose another name")
        if self._registered.setdefault(row.name, row) is not row:
            raise BadValue(f"two measures are called {row.name!r}")


_OWN_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

MEASURES = Measures(_ROWS)
"""Every measure by its name: ours, and what users' plugins have registered."""

NOT_YET: Mapping[str, str] = MappingProxyType(
    {
        "itl": "itl means two things in the field, write icl (between chunks) or tpot (per output token)",
    }
)
"""Known names that cannot be measured yet, and what to say about them."""

_INTEGER = re.compile(r"\d+")
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?")


def read_value(text: str, unit: Unit) -> float:
    """A value with its unit, in base units. Raises BadValue."""
    match unit:
        case Unit.SHARE:
            return parse_share(text)
        case Unit.SECONDS:
            return parse_duration(text)
        case Unit.PER_SECOND:
            return parse_rate(text)
    pattern, wanted = (_INTEGER, "a whole number") if unit is Unit.COUNT else (_DECIMAL, "a number")
    if pattern.fullmatch(text) is None:
        raise BadValue(f"expected {wanted} without a unit, such as 0 or 20, got {text!r}")
    return float(text)


def display(value: float, unit: Unit) -> str:
    """A value for people: ``97.5%``, ``812ms``, ``6.23s``, ``23``; a time without end is ``never``."""
    if math.isinf(value):
        return "never" if unit is Unit.SECONDS else "unbounded"
    match unit:
        case Unit.SHARE:
            return f"{value * 100:.4g}%"
        case Unit.SECONDS:
            return f"{value * 1000:.0f}ms" if abs(value) < 1 else f"{value:.2f}s"
        case Unit.PER_SECOND:
            return f"{value:.3g}/s"
    return f"{value:.10g}" if unit is Unit.COUNT else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
