"""``chaosproxy.testing.check_laws`` on faults as users write them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from random import Random
from typing import ClassVar, Self

import pytest

from chaosproxy.errors import BadValue
from chaosproxy.events import (
    Abort,
    Ask,
    Cut,
    End,
    Exchange,
    Frame,
    Head,
    Heal,
    Hit,
    Incoming,
    Miss,
    Outgoing,
    Tick,
    moved,
)
from chaosproxy.faults import CATALOGUE
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import passing
from chaosproxy.faults.where import Where
from chaosproxy.testing import LawBroken, Trial, check_laws


class Late(Fault):
    """Sends the head later."""

    type: ClassVar[str] = "acme.late"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = "the answer begins late"

    seconds: float = 1.0

    @classmethod
    def neutral(cls) -> Self | None:
        return cls(seconds=0.0)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        return Delaying(self.seconds)


class Delaying:
    """Everything that comes is late; the lease does not matter."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.said = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if not isinstance(event, Head | Frame | End | Abort) or self.seconds == 0:
            return passing(event)
        said = [] if self.said else [Hit(event.at, "late")]
        self.said = True
        return [*said, moved(event, event.at + self.seconds)]


class Asks(Late):
    """Answers itself, and asks the upstream all the same."""

    type: ClassVar[str] = "acme.asks"
    room: ClassVar[Room] = Room.ADMISSION
    no_neutral: ClassVar[str | None] = "an answer is an answer"

    @property
    def stops_upstream(self) -> bool:
        return True

    @classmethod
    def neutral(cls) -> Self | None:
        return None

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        return Asking()


class Asking:
    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if isinstance(event, Ask):
            return [Hit(event.at, "reset"), event, Abort(event.at, Cut.RESET)]
        return ()


class Mute(Late):
    """Does nothing, and does not say so."""

    type: ClassVar[str] = "acme.mute"
    room: ClassVar[Room] = Room.FRAMING
    no_neutral: ClassVar[str | None] = "none"

    where: Where = Where("event", 1)

    @classmethod
    def neutral(cls) -> Self | None:
        return None

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        return Passing()


class Passing:
    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        return passing(event)


class Restless(Late):
    """Passes on what it should not: each Tick asks for the next one."""

    type: ClassVar[str] = "acme.restless"

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        return Echoing()


class Echoing:
    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        return () if isinstance(event, Heal) else [event]


class Impatient(Late):
    """Keeps the request, and asks for the time again and again."""

    type: ClassVar[str] = "acme.impatient"

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        return Waiting()


class Waiting:
    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        return [Tick(event.at + 0.001)] if isinstance(event, Ask | Tick) else ()


class Garbles(Mute):
    """Breaks the words, which no semantic fault may."""

    type: ClassVar[str] = "acme.garbles"
    room: ClassVar[Room] = Room.SEMANTIC

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        return Garbling()


class Garbling:
    def __init__(self) -> None:
        self.said = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if isinstance(event, Frame) and event.data.startswith(b"data: {"):
            said = [] if self.said else [Hit(event.at, "garbled")]
            self.said = True
            return [*said, Frame(event.at, b"data: oops".ljust(len(event.data) - 2, b".") + b"\n\n")]
        if isinstance(event, Heal) and not self.said:
            return [Miss(event.at, "nothing came")]
        return passing(event)


def broken(fault: Fault | type[Fault]) -> str:
    """What is said of a fault that breaks a law."""
    with pytest.raises(LawBroken) as refused:
        check_laws(fault, examples=300)
    return str(refused.value)


def test_a_healthy_fault_keeps_the_laws() -> None:
    """As a class, with its default and neutral settings, and with settings of its own."""
    check_laws(Late, examples=50)
    check_laws(Late(seconds=3.0), examples=50)


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.type)
def test_our_own_faults_keep_the_laws_for_everybody(fault: type[Fault]) -> None:
    """So an author may look at ours."""
    check_laws(fault, examples=10)


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        (Asks, "it_keeps_the_request: the upstream was asked"),
        (Mute, "it_speaks_when_its_place_comes"),
        (Garbles, "it_still_parses: not an event"),
        (Restless(seconds=1.0), "it_comes_to_rest: the fault 'fault' was woken 1000 times at 0 s and asks for more"),
        (Impatient(seconds=1.0), "it_comes_to_rest: woken 10000 times, it asks for more"),
        (Late(seconds=-1.0), "time_never_runs_backwards"),
    ],
)
def test_a_broken_law_is_named_with_its_case(fault: Fault | type[Fault], law: str) -> None:
    """And the settings with which it broke."""
    said = broken(fault)

    assert law in said
    assert "\nin Case(" in said


def test_a_law_of_the_users_own() -> None:
    """What this fault promises beyond the laws."""

    def it_is_two_seconds_late(fault: Fault, done: Trial) -> str | None:
        return "not two seconds late" if done.hit else None

    with pytest.raises(LawBroken, match="it_is_two_seconds_late: not two seconds late"):
        check_laws(Late, laws=[it_is_two_seconds_late], examples=50)


def test_neutral_settings_or_the_reason_why_not() -> None:
    """One of the two."""

    class Neither(Late):
        """Says nothing of it."""

        @classmethod
        def neutral(cls) -> Self | None:
            return None

    class Both(Late):
        """Says too much."""

        no_neutral: ClassVar[str | None] = "none"

    assert "it has neither" in broken(Neither)
    assert "it has both" in broken(Both)


def test_an_incomplete_class_is_no_fault() -> None:
    """The words are those of --plugin."""

    class Nameless(Late):
        type = ""

    with pytest.raises(BadValue, match="type is a name such as"):
        check_laws(Nameless)


def test_a_fault_that_can_act_on_nothing_is_told() -> None:
    """There is no case to try."""

    class Never(Late):
        """Acts never."""

        def lacks(self, exchange: Exchange) -> str | None:
            return "never"

    assert "leaves no request of any dialect" in broken(Never(seconds=1.0))


def test_without_hypothesis_the_extra_is_named() -> None:
    """It is optional."""
    code = "import sys; sys.modules['hypothesis'] = None; import chaosproxy.testing"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr.endswith("ImportError: chaosproxy.testing needs hypothesis: pip install 'chaosproxy[search]'\n")
