"""The chain: stages compose, one is attached or healed at any moment, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chaosproxy.events import (
    AT_HEAL,
    RAW,
    Abort,
    Cut,
    End,
    Frame,
    Heal,
    Hit,
    Incoming,
    Kind,
    Meaning,
    Miss,
    Outgoing,
    Tick,
    Travelling,
)
from chaosproxy.faults.chain import WAKES_AT_ONCE_MAX, Chain, NeverRests, Report, run_through


class Late:
    """Delays everything."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        match event:
            case Frame(at, data, meaning):
                return [Frame(at + self.delay_s, data, meaning)]
            case End(at):
                return [End(at + self.delay_s)]
        return []


class Noted:
    """Passes everything and remembers what it was fed."""

    def __init__(self) -> None:
        self.fed: list[Incoming] = []

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        self.fed.append(event)
        return [] if isinstance(event, Tick | Heal) else [event]


class Clock:
    """Emits a frame every second, whatever the upstream does, and one at the end."""

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        match event:
            case Tick(0.0):
                return [Tick(1.0)]
            case Tick(at):
                return [frame(at, b"tick"), Tick(at + 1)]
            case Heal(at):
                return [frame(at, b"healed"), frame(at + 5, b"too late")]
        return [event]


class Holder:
    """Holds all frames until it heals."""

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        return [Frame(AT_HEAL, event.data)] if isinstance(event, Frame) else []


class Speaker:
    """Says something about each frame."""

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        match event:
            case Frame(at):
                return [Hit(at, "cut"), Abort(at, Cut.RESET), event]
            case Heal(at):
                return [Miss(at, "nothing came")]
        return []


def frame(at: float, data: bytes = b"f") -> Frame:
    """A frame of a raw body."""
    return Frame(at, data, RAW)


def test_an_empty_chain_passes_events_untouched() -> None:
    """Without a stage an event leaves as the very object that came."""
    chain = Chain()
    event = frame(1.0)

    chain.push(event)

    assert chain.empty
    assert chain.advance(1.0)[0] is event


def test_two_delays_add_up() -> None:
    """Each stage sees the present, so the second one delays what the first let go."""
    chain = Chain()
    chain.attach("one", Late(1.0), 0.0)
    chain.attach("two", Late(2.0), 0.0)

    chain.push(frame(5.0))

    assert chain.fault_ids == ("one", "two")
    assert (chain.next_at(), chain.advance(7.9)) == (6.0, [])
    assert (chain.next_at(), chain.advance(8.0)) == (8.0, [frame(8.0)])
    assert chain.next_at() is None


def test_held_bytes_count_what_waits_and_return_to_zero() -> None:
    """The pump stops reading while too much waits, so nothing may be counted twice or forgotten."""
    chain = Chain()
    chain.attach("one", Late(1.0), 0.0)
    chain.attach("two", Late(1.0), 0.0)
    chain.push(frame(0.0, b"1234"))

    held = []
    for at in (0.0, 1.0, 2.0):
        chain.advance(at)
        held.append(chain.held_bytes)

    assert held == [4, 4, 0]


def test_healing_releases_what_that_stage_delays_and_nothing_else() -> None:
    """The other stage's delay stays."""
    chain = Chain()
    chain.attach("one", Late(10.0), 0.0)
    chain.attach("two", Late(3.0), 0.0)
    chain.push(frame(0.0))

    chain.heal("one", 2.0)

    assert chain.fault_ids == ("two",)
    assert chain.advance(4.9) == []
    assert chain.advance(5.0) == [frame(5.0)]


def test_faults_that_are_not_kept_go_with_what_they_hold() -> None:
    """Without a word: they are not healed."""
    chain, noted = Chain(), Noted()
    chain.attach("first", Late(1.0), 0.0)
    chain.attach("noted", noted, 0.0)
    chain.attach("last", Late(2.0), 0.0)
    chain.push(frame(0.0))
    chain.advance(1.0)
    chain.push(frame(1.0))
    chain.keep(["last"])

    assert (chain.fault_ids, chain.held_bytes) == (("last",), 1)
    assert chain.advance(10.0) == [frame(3.0)]
    assert noted.fed == [Tick(0.0), frame(1.0)]


def test_healing_leaves_times_alone_that_have_come() -> None:
    """An event that was due before the heal, but not fetched yet, keeps its time."""
    chain = Chain()
    chain.attach("one", Late(1.0), 0.0)
    chain.push(frame(0.0))

    chain.heal("one", 5.0)

    assert chain.advance(5.0) == [frame(1.0)]


def test_healing_an_unknown_fault_changes_nothing() -> None:
    """A heal may come for an exchange that the fault never met."""
    chain = Chain()
    chain.attach("one", Late(1.0), 0.0)

    chain.heal("other", 1.0)

    assert chain.fault_ids == ("one",)


def test_an_event_that_waits_for_the_heal_never_moves_by_itself() -> None:
    """The caller would otherwise sleep for ever on an infinite time."""
    chain = Chain()
    chain.attach("one", Holder(), 0.0)
    chain.push(frame(1.0, b"held"))

    assert (chain.advance(1000.0), chain.next_at(), chain.held_bytes) == ([], None, 4)

    chain.heal("one", 1001.0)

    assert chain.advance(1001.0) == [Frame(1001.0, b"held")]
    assert chain.held_bytes == 0


def test_a_stage_hears_of_its_beginning_and_its_end() -> None:
    """Tick comes first, Heal last, and what passes earlier stages late is seen late."""
    noted = Noted()
    chain = Chain()
    chain.attach("late", Late(1.0), 0.0)
    chain.push(frame(1.0))
    chain.attach("noted", noted, 1.5)
    chain.advance(2.0)

    chain.heal("noted", 3.0)

    assert noted.fed == [Tick(1.5), frame(2.0), Heal(3.0)]


def test_a_stage_is_attached_after_what_was_due_before_it() -> None:
    """It never sees the past, even when the caller had not fetched that yet."""
    noted = Noted()
    chain = Chain()
    chain.attach("late", Late(1.0), 0.0)
    chain.push(frame(0.0))

    chain.attach("noted", noted, 4.0)

    assert chain.advance(4.0) == [frame(1.0)]
    assert noted.fed == [Tick(4.0)]


def test_a_stage_may_act_while_the_upstream_is_silent() -> None:
    """It asks for a tick and gets it on time, also when the caller comes late."""
    chain = Chain()
    chain.attach("clock", Clock(), 0.0)
    at_first = chain.next_at()

    assert at_first == 1.0
    assert chain.advance(3.2) == [frame(1.0, b"tick"), frame(2.0, b"tick"), frame(3.0, b"tick")]


def test_ticks_that_were_due_come_before_the_heal() -> None:
    """And what a stage emits at its end leaves at once, whatever its time says."""
    chain = Chain()
    chain.attach("clock", Clock(), 0.0)

    chain.heal("clock", 2.5)

    assert chain.advance(2.5) == [
        frame(1.0, b"tick"),
        frame(2.0, b"tick"),
        frame(2.5, b"healed"),
        frame(2.5, b"too late"),
    ]
    assert (chain.empty, chain.next_at(), chain.held_bytes) == (True, None, 0)


def test_nothing_leaves_after_an_end() -> None:
    """Whatever stages still emit."""
    chain = Chain()
    chain.attach("speaker", Speaker(), 0.0)

    chain.push(frame(1.0))

    assert chain.advance(1.0) == [Abort(1.0, Cut.RESET)]


def test_what_stages_say_is_told_once_with_their_names() -> None:
    """Reports are for the journal."""
    chain = Chain()
    chain.attach("speaker", Speaker(), 0.0)
    chain.push(frame(1.0))
    first = chain.take_reports()
    chain.heal("speaker", 2.0)

    assert first == [Report("speaker", Hit(1.0, "cut"))]
    assert chain.take_reports() == [Report("speaker", Miss(2.0, "nothing came"))]
    assert chain.take_reports() == []


def test_run_through_plays_a_stage_to_its_end() -> None:
    """With and without a heal in between or afterwards."""
    events: list[Travelling] = [frame(0.0), End(1.0)]

    assert run_through(Late(5.0), events) == [frame(5.0), End(6.0)]
    assert run_through(Late(5.0), events, heal_at=0.5) == [frame(0.5), End(1.0)]
    assert run_through(Late(5.0), events, heal_at=2.0) == [frame(2.0), End(2.0)]
    assert run_through(Holder(), events) == [Frame(AT_HEAL, b"f")]


def test_text_that_was_read_is_held_too() -> None:
    """It takes as much memory as the bytes in which it was read."""
    chain = Chain()
    chain.attach("late", Late(1.0), 0.0)
    chain.push(Frame(0.0, b"data: words", Meaning(Kind.CONTENT, "words")))

    assert chain.held_bytes == len(b"data: words") + len("words")


class Restless:
    """Asks for the time that it is."""

    def __init__(self, begins: float, step_s: float = 0.0) -> None:
        self.begins = begins
        self.step_s = step_s

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if isinstance(event, Tick):
            return [Tick(max(self.begins, event.at + self.step_s))]
        return () if isinstance(event, Heal) else [event]


@pytest.mark.parametrize("step_s", [0.0, -1.0], ids=["same", "earlier"])
def test_a_stage_that_never_rests_is_blamed(step_s: float) -> None:
    """Once its moment has come; until then the others work."""
    chain = Chain()
    chain.attach("quiet", Noted(), 0.0)
    chain.attach("restless", Restless(2.0, step_s), 0.0)

    chain.push(End(1.0))
    assert chain.advance(1.0) == [End(1.0)]
    with pytest.raises(NeverRests, match=rf"^the fault 'restless' was woken {WAKES_AT_ONCE_MAX} times at 2 s and asks"):
        chain.advance(2.0)


def test_a_stage_may_be_woken_as_often_as_it_likes() -> None:
    """As long as time goes on: a slow clock of the caller's is no fault of the stage."""
    chain = Chain()
    chain.attach("clock", Restless(0.0, 0.001), 0.0)

    assert chain.advance(3 * WAKES_AT_ONCE_MAX / 1000) == []
