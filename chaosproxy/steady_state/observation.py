"""What was observed, with what could not be known as bounds: the truth lies between ``low`` and ``high``.

An expectation holds when it does at both bounds and deviates when it fails at both; in between nothing can be said.
Late processes, unfinished calls, unknown texts and times that never came to an end all become bounds: one rule judges
them all.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from chaosproxy.steady_state.outcome import Doubt
from chaosproxy.steady_state.vocabulary import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaosproxy.steady_state.claims import Expression
    from chaosproxy.steady_state.timeline import Span


class State(StrEnum):
    """Of an expectation, and of a run as a whole."""

    HELD = "held"
    DEVIATED = "deviated"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of one call (or gap), and between which values the truth lies."""

    call: str
    value: float
    low: float
    high: float
    doubt: Doubt | None = None
    """Why the bounds are apart, where that is not the lateness of our own processes."""

    @classmethod
    def sure(cls, call: str, value: float) -> Sample:
        """A value without doubt."""
        return cls(call, value, value, value)


@dataclass(frozen=True, slots=True)
class Observation:
    """One measure in one window. ``value`` is the best estimate: None when there is none.

    ``why`` says what could not be known; ``against`` names the calls that speak against the expectation, in the order
    of time. ``span`` is None when the window itself is unknowable.
    """

    window: str
    span: Span | None
    value: float | None
    low: float = -math.inf
    high: float = math.inf
    samples: int = 0
    why: str = ""
    against: tuple[str, ...] = ()

    def state(self, expect: Expression) -> State:
        """Whether the expectation holds, whatever the truth is between the bounds."""
        test = OPERATORS[expect.operator]
        if self.low == self.high:
            return State.HELD if test(self.low, expect.value) else State.DEVIATED
        if expect.operator in ("==", "!="):
            inside = self.low <= expect.value <= self.high
            return State.INCONCLUSIVE if inside else State.DEVIATED if expect.operator == "==" else State.HELD
        at_low, at_high = test(self.low, expect.value), test(self.high, expect.value)
        if at_low is not at_high:
            return State.INCONCLUSIVE
        return State.HELD if at_low else State.DEVIATED

    def margin(self, expect: Expression) -> float | None:
        """How far the value is on the good side of the bound; negative when it is on the bad side."""
        if self.value is None or math.isinf(self.value):
            return None
        gap = self.value - expect.value
        match expect.operator:
            case "<" | "<=":
                return -gap
            case ">" | ">=":
                return gap
            case "==":
                return -abs(gap)
        return abs(gap)


OPERATORS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        "==": operator.eq,
        "!=": operator.ne,
        ">=": operator.ge,
        ">": operator.gt,
    }
)


def needed_samples(aggregate: str | None) -> int:
    """How many samples a number needs by itself: a percentile 10 / (1 - q), anything else one."""
    share = percentile(aggregate) if aggregate else None
    return 1 if share is None else math.ceil(round(10 / (1 - share), 6))


def aggregated(aggregate: str, values: Sequence[float]) -> float:
    """One number of many. Percentiles are nearest-rank: a value that was really observed."""
    match aggregate:
        case "mean":
            return next((value for value in values if math.isinf(value)), math.fsum(values) / len(values))
        case "sum":
            return math.fsum(values)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "count":
            return float(len(values))
    share = percentile(aggregate)
    if share is None:
        raise ValueError(aggregate)
    rank = math.ceil(round(share * len(values), 6))
    return sorted(values)[max(rank, 1) - 1]
