"""What a fault is: frozen settings, and a stage that is a pure function over timed events.

A fault never sleeps, reads a clock or rolls a shared die. It may re-time, drop, split, swap, repeat, replace or abort.
Laws over the whole catalogue (tests/laws) hold every fault to this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import ClassVar, Protocol, Self, runtime_checkable

from pydantic import ConfigDict

from chaosproxy.descriptions import Described
from chaosproxy.events import Exchange, Incoming, Outgoing


class Room(Enum):
    """Where a fault acts; each room has laws of its own."""

    ADMISSION = "admission"
    TIMING = "timing"
    FRAMING = "framing"
    SEMANTIC = "semantic"
    TOXIC = "toxic"


class Gate(Enum):
    """What a listener does with connections while a listener fault is active."""

    REFUSE = "refuse"  # the port does not listen: the kernel answers with an RST
    RESET = "reset"  # accepted, then RST
    CLOSE = "close"  # accepted, then FIN


class Stage(Protocol):
    """A fault at work in one exchange. Made when it is attached, which may be in mid-stream: Tick(at) comes first."""

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        """What becomes of ``event``.

        Emitted events carry ``at`` >= the fed event's and never run backwards; ``AT_HEAL`` means the end of the lease,
        whenever that is. After an End or Abort of its own a stage emits nothing more. It reports what it did with one
        Hit, or why it cannot act with one Miss, per exchange, and settles everything that it holds at Heal.
        """


class Fault(Described):
    """Settings of one fault, with units in the names where they are numbers. Subclasses stand in the catalogue."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    type: ClassVar[str]
    """The name in experiment files."""
    room: ClassVar[Room]
    symptom: ClassVar[str]
    """What the client sees, in one sentence; ``chaosproxy faults --symptom`` searches it."""
    timeline: ClassVar[str] = ""
    """An ASCII drawing, one line per edge: what the upstream sends and what the client gets."""
    no_neutral: ClassVar[str | None] = None
    """Why no settings make this fault the identity; None when ``neutral`` does."""

    @property
    def edits_frames(self) -> bool:
        """Whether it must understand frames, so that compressed answers have to be avoided (Accept-Encoding)."""
        return False

    @property
    def stops_upstream(self) -> bool:
        """Whether it keeps the request from the upstream."""
        return False

    @property
    def reaches_open(self) -> bool:
        """Whether exchanges that are open when it begins are its business, as if ``streams`` were ``all``."""
        return False

    @property
    def needs_server(self) -> bool:
        """Whether only a Toxiproxy server can apply it, never a proxy of ours."""
        return False

    @property
    def on_messages(self) -> bool:
        """Whether it acts on the messages of a WebSocket; all others have nothing to do once one was opened."""
        return False

    @classmethod
    def neutral(cls) -> Self | None:
        """Settings under which the fault is the identity, or None with the reason in ``no_neutral``."""
        return None

    def lacks(self, exchange: Exchange) -> str | None:
        """Why the fault can never act on this exchange ("the request is not of a known dialect"), or None."""
        return None

    def gate(self) -> Gate | None:
        """What the fault does to a listener before any request is known; None for most."""
        return None

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """A fresh stage for one exchange; all its chance comes from ``dice``."""
        raise NotImplementedError


class Bucket(Protocol):
    """A shared quota, kept by the plan's counters."""

    def take(self, amount: float, at: float) -> float:
        """Take from the quota at time ``at`` (seconds, monotonic). 0.0 when granted, else the seconds to wait."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """A quota refused a request: which one (requests or tokens), and the seconds until it would grant it."""

    quota: str
    wait_s: float


@runtime_checkable
class Metered(Protocol):
    """A fault that limits a rate over many exchanges: a second, small power beside ``stage``."""

    def quotas_per_minute(self) -> dict[str, float]:
        """Requests and tokens a minute, those that are set; empty when it has no rate, and ``stage`` is meant."""

    def refusal(self, exchange: Exchange, shortage: Shortage) -> Stage:
        """The stage for an exchange that is beyond a quota."""


@runtime_checkable
class Capped(Protocol):
    """A fault that limits how many exchanges there are at once: another small power.

    The plan's counters keep the seats. An exchange that got one has no stage; one that waits has its ``stage`` healed
    when its turn has come.
    """

    def seats_at_once(self) -> int:
        """How many exchanges have a seat at the same time."""

    def lets_wait(self) -> bool:
        """Whether one more waits for a seat; else it never gets one."""
