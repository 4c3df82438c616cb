"""Injected delays: the faults that make them, and when each event that they delay is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """A line of llmbench's trace: an event's number in its answer, and its times."""

    number: int
    first_sent_ns: int
    sent_ns: int
    came_ns: int


@dataclass(frozen=True, slots=True)
class Fault:
    """A delay in words of ours, and when an event that it delays should come; None: it does not delay that one."""

    name: str
    settings: str
    due_ns: Callable[[Arrival, int], int | None]

    def text(self, delay_ms: int) -> str:
        """As on a command line."""
        return f"{self.name} {self.settings.format(delay=f'{delay_ms}ms')}"


def _shifted(arrival: Arrival, delay_ns: int) -> int | None:
    return arrival.sent_ns + delay_ns


def _paced(arrival: Arrival, delay_ns: int) -> int | None:
    return max(arrival.first_sent_ns + arrival.number * delay_ns, arrival.sent_ns) if arrival.number else None


def _stalled(arrival: Arrival, delay_ns: int) -> int | None:
    return arrival.sent_ns + delay_ns if arrival.number >= _STALL_AT else None


_STALL_AT = 3
NONE = Fault("none", "", _shifted)
LATENCY = Fault("latency", "latency={delay}", _shifted)
"""The toxic, on every piece of bytes."""
FAULTS = (
    Fault("time.first_token", "mean={delay}", _shifted),
    Fault("time.inter_token", "mean={delay}", _paced),
    Fault("time.stall", f"where=token:{_STALL_AT} hold={{delay}}", _stalled),
)
