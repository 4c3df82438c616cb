"""The passage against the chain: one stream on both ways, between edges that are only remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Abort, Cut, Exchange, Framing, Head, Heal, Hit, Incoming, Outgoing, Tick
from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.plan.decision import Decision
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.alarms import Alarm
from chaosproxy.proxy.edges import AnswerHead, Asking, Pipe, WireOwner
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.pump import Pump
from chaosproxy.proxy.surroundings import Surroundings
from chaosproxy.proxy.timers import Timers
from chaosproxy.wire.dialects import DIALECTS, dialect
from tests.proxy.streams import pieces_of

NAMES = [known.name for known in DIALECTS]
STREAMED = AnswerHead(200, "OK", (("content-type", "text/event-stream"),), Framing.CHUNKED)
PLAIN = AnswerHead(200, "OK", (("content-type", "application/json"),), Framing.CHUNKED)


class Identity:
    """A fault that changes nothing."""

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        return () if isinstance(event, Tick | Heal) else (event,)


class Broken:
    """A fault with a bug."""

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if isinstance(event, Tick | Heal):
            return ()
        raise ZeroDivisionError


class Speaking(Identity):
    """A fault that says at its first event that it was there."""

    said = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        passed = super().feed(event)
        if self.said or not passed:
            return passed
        self.said = True
        return (Hit(event.at, "was there"), *passed)


class Cutting(Identity):
    """A fault that cuts the answer at its first event."""

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        return [Abort(passed.at, Cut.FIN) for passed in super().feed(event)]


@dataclass(slots=True)
class Wire:
    """A client that remembers what it got, after which piece, and can be full."""

    got: list[bytes] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    full: bool = False
    fin_is_an_end: bool = False
    chunked: bool = True
    owner: WireOwner | None = None

    def own(self, owner: WireOwner) -> None:
        self.owner = owner

    def head(self, head: Head) -> None:
        self.heads.append(replace(head, at=0.0))

    def data(self, data: bytes) -> None:
        self.got.append(data)

    def unframed(self, data: bytes) -> None:
        self.got.append(data)

    def chunk_writer(self) -> Callable[[bytes], None] | None:
        """For whole chunks, which are unpacked here."""
        return (lambda chunk: self.got.append(chunk.partition(b"\r\n")[2][:-2])) if self.chunked else None

    def end(self) -> None:
        self.ended.append("end")

    def abort(self, how: Cut) -> None:
        self.ended.append(how.value)

    def upgrade(self, head: AnswerHead) -> Pipe:
        raise NotImplementedError


@dataclass(slots=True)
class Asked:
    """An upstream that was asked."""

    calls: list[str] = field(default_factory=list)

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def cancel(self) -> None:
        self.calls.append("cancel")

    def hand_to(self, receiver: Any) -> None:
        self.calls.append("hand_to")


def no_alarm(*_: object) -> Alarm:
    """Nothing here is late."""
    raise AssertionError


class Run:
    """One exchange between remembered edges, and a clock that a test moves."""

    def __init__(self, name: str, limits: Limits | None = None) -> None:
        self.now = 100.0
        self.wire = Wire()
        self.asked = Asked()
        self.records: list[ExchangeRecord] = []
        self.troubles: list[Any] = []
        exchange = Exchange(id="e", listener="l", ordinal=1, method="POST", path="/", dialect=name, stream=True)
        around = Surroundings(
            token="t",
            limits=limits or Limits(),
            clock=lambda: self.now,
            timers=Timers(lambda: self.now, no_alarm),
            wall=lambda: 0.0,
            record=self.troubles.append,
            began=lambda account, wire: None,
            missed=lambda decision: None,
            finished=lambda account: self.records.append(cast(ExchangeRecord, account.entry().record)),
            refused=lambda kind: None,
        )
        self.pump = Pump(Account(exchange, self.now), dialect(name), self.wire, self._ask, around)
        self.receiver = self.pump

    def _ask(self, receiver: Any, without: tuple[str, ...]) -> Asking:
        del without
        self.receiver = receiver
        return self.asked

    def attach(self, stage: Any, fault: str = "f") -> None:
        """A fault begins at the next frame boundary; None: the plan does not choose this exchange."""
        reason = "" if stage is not None else "not chosen"
        self.pump.attach(fault, lambda exchange: Decision(fault, reason, stage))

    def carry(self, pieces: list[bytes], acts: dict[int, Any], head: AnswerHead) -> None:
        """Head and pieces, with ``acts`` before the piece of that number, and then the end."""
        self.receiver.upstream_head(head)
        for number, piece in enumerate([*pieces, b""]):
            self.now += 1
            if number in acts:
                acts[number]()
            if piece:
                if self.pump.chunks is None:
                    self.receiver.upstream_data(piece)
                else:
                    self.pump.chunks.chunk(b"%x\r\n%b\r\n" % (len(piece), piece), piece)
        self.receiver.upstream_end()

    @property
    def edges(self) -> list[dict[str, Any]]:
        """Both records but for what faults and times say."""
        (record,) = self.records
        return [
            {name: value for name, value in edge.model_dump().items() if not name.endswith("_at")}
            for edge in (record.received, record.sent)
        ]


def passed(name: str, pieces: list[bytes], head: AnswerHead) -> Run:
    """The same stream with nothing at work."""
    run = Run(name)
    run.pump.start(lambda: ())
    run.carry(pieces, {}, head)
    return run


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_a_chain_that_changes_nothing_gives_what_the_passage_gives(name: str, data: st.DataObject) -> None:
    """Attached from the start or in mid-stream, healed in mid-stream or not: same bytes, same head, same records."""
    pieces = data.draw(pieces_of(name))
    head = data.draw(st.sampled_from([STREAMED, STREAMED, PLAIN]))
    places = st.integers(0, len(pieces))
    from_start, begin, heal, again = data.draw(st.tuples(st.booleans(), places, places, places))
    run = Run(name)
    acts: dict[int, Any] = {again: lambda: run.attach(data.draw(st.sampled_from([None, Identity()])), "second")}
    acts[heal] = lambda: run.pump.heal("f")
    acts[begin] = lambda: run.attach(Identity())
    run.pump.start(lambda: [Decision("f", "", Identity())] if from_start else [])
    run.carry(pieces, acts, head)
    bare = passed(name, pieces, head)

    assert b"".join(run.wire.got) == b"".join(bare.wire.got) == b"".join(pieces)
    assert (run.wire.heads, run.wire.ended) == (bare.wire.heads, bare.wire.ended)
    assert run.edges == bare.edges
    assert bare.edges[0] == bare.edges[1]
    assert not run.troubles


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_the_passage_gives_each_piece_as_it_came(name: str, data: st.DataObject) -> None:
    """One write for each piece, and both edges agree on every time but the head's and the end's."""
    pieces = data.draw(pieces_of(name))
    run = passed(name, pieces, STREAMED)
    (record,) = run.records

    assert run.wire.got == pieces
    assert record.received.first_content_at == record.sent.first_content_at


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_a_chain_gives_times_of_the_passage(name: str, data: st.DataObject) -> None:
    """The first content is where it is without a chain: at the piece that completes it."""
    pieces = data.draw(pieces_of(name))
    run = Run(name)
    run.pump.start(lambda: [Decision("f", "", Identity())])
    run.carry(pieces, {}, STREAMED)
    (bare,), (record,) = passed(name, pieces, STREAMED).records, run.records

    assert record.received.first_content_at == bare.received.first_content_at
    assert record.sent.first_content_at == bare.sent.first_content_at


FRAME = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n'


def begun(limits: Limits | None = None) -> Run:
    """A streamed answer that has begun, with one frame and a half."""
    run = Run("openai.chat", limits)
    run.pump.start(lambda: ())
    run.receiver.upstream_head(STREAMED)
    run.receiver.upstream_data(FRAME + FRAME[:9])
    return run


def test_a_fault_begins_at_the_next_frame_boundary() -> None:
    """What the client has the beginning of goes on as bytes; the fault sees the frame after it."""
    run = begun()
    run.attach(Speaking())
    run.receiver.upstream_data(FRAME[9:20])
    before = list(run.troubles)
    run.receiver.upstream_data(FRAME[20:] + FRAME + FRAME[:5])

    assert run.wire.got == [FRAME + FRAME[:9], FRAME[9:20], FRAME[20:], FRAME]
    assert (before, [hit.detail for hit in run.troubles]) == ([], ["was there"])


def test_a_fault_at_a_boundary_begins_at_once() -> None:
    """Nothing has to be waited for, so the next piece is held until its frame is complete."""
    run = begun()
    run.receiver.upstream_data(FRAME[9:])
    run.attach(Identity())
    run.receiver.upstream_data(FRAME[:30])

    assert run.wire.got[-1] == FRAME[9:]


def test_after_a_heal_in_mid_frame_the_half_that_was_kept_comes_first() -> None:
    """And from there on bytes pass as they come."""
    run = begun()
    run.receiver.upstream_data(FRAME[9:])
    run.attach(Identity())
    run.receiver.upstream_data(FRAME[:30])
    run.pump.heal("f")
    run.receiver.upstream_data(FRAME[30:40])
    run.receiver.upstream_data(FRAME[40:] + FRAME[:7])
    run.receiver.upstream_data(FRAME[7:8])

    assert run.wire.got[2:] == [FRAME + FRAME[:7], FRAME[7:8]]


def test_after_a_heal_in_mid_frame_a_stream_may_end_there() -> None:
    """The half that was kept comes before the end."""
    run = begun()
    run.receiver.upstream_data(FRAME[9:])
    run.attach(Identity())
    run.receiver.upstream_data(FRAME[:30])
    run.pump.heal("f")
    run.receiver.upstream_end()

    assert (run.wire.got[2:], run.wire.ended) == ([FRAME[:30]], ["end"])


def test_a_fault_that_is_not_chosen_leaves_the_passage_as_it_was() -> None:
    """The edges share their tally again, and its reason is told."""
    run = begun()
    run.attach(None)
    run.receiver.upstream_data(FRAME[9:] + FRAME)
    account = run.pump.account

    assert run.wire.got == [FRAME + FRAME[:9], FRAME[9:], FRAME]
    assert account.sent.tally is account.received.tally
    assert account.misses == {"f": "not chosen"}


@pytest.mark.parametrize("in_chain", [False, True])
@pytest.mark.interpreted
def test_a_bug_ends_its_exchange(in_chain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On either way: the client is cut off, the upstream is let go, and the record is written."""
    run = begun()
    if in_chain:
        run.receiver.upstream_data(FRAME[9:])
        run.attach(Broken())
    else:
        monkeypatch.setattr("chaosproxy.proxy.event_tally.EventTally.collect", Broken().feed)
    run.receiver.upstream_data(FRAME)

    assert (run.wire.ended, run.asked.calls) == (["fin"], ["cancel"])
    assert [record.sent.ended for record in run.records] == ["unfinished"]
    assert len(run.troubles) == 1


def test_a_bug_before_the_head_is_answered_with_500() -> None:
    """Nothing was sent yet."""
    run = Run("openai.chat")
    run.pump.start(lambda: [Decision("f", "", Broken())])

    assert [head.status for head in run.wire.heads] == [500]
    assert (run.wire.ended, run.records[0].sent.events) == (["end"], 1)


async def test_an_upstream_is_read_on_after_the_client_s_end_and_counted() -> None:
    """Within limits; beyond them it is let go."""
    run = begun(Limits(drain_bytes=len(FRAME) + 9))
    run.receiver.upstream_data(FRAME[9:])
    run.attach(Cutting())
    for piece in (FRAME, FRAME, FRAME[:10], FRAME):
        if not run.records:
            run.receiver.upstream_data(piece)
    (record,) = run.records

    assert run.wire.ended == ["fin"]
    assert run.asked.calls == ["cancel"]
    assert (record.sent.events, record.received.events, record.received.ended) == (2, 4, "unfinished")
    assert record.received.bytes == 4 * len(FRAME) + 10


@pytest.mark.parametrize("in_chain", [False, True])
def test_an_upstream_that_breaks_off_leaves_half_a_frame(in_chain: bool) -> None:
    """The client gets it on both ways, and its last event is counted."""
    run = Run("openai.chat")
    run.pump.start(lambda: [Decision("f", "", Identity())] if in_chain else [])
    run.receiver.upstream_head(STREAMED)
    run.receiver.upstream_data(FRAME + FRAME[:-2])
    run.receiver.upstream_failed(UpstreamFailed(UpstreamFailed.RESET, "gone"))
    (record,) = run.records

    assert (b"".join(run.wire.got), run.wire.ended) == (FRAME + FRAME[:-2], ["reset"])
    assert (record.sent.events, record.sent.tokens, record.received.tokens) == (2, 2, 2)


@pytest.mark.parametrize("in_chain", [False, True])
def test_a_slow_client_pauses_the_upstream(in_chain: bool) -> None:
    """Told by the wire, once for each change, on both ways."""
    run = begun()
    if in_chain:
        run.receiver.upstream_data(FRAME[9:])
        run.attach(Identity())
    for full in (True, True, False):
        run.wire.full = full
        (run.pump.wire_filled if full else run.pump.wire_drained)()
        run.receiver.upstream_data(FRAME)

    assert run.asked.calls == ["pause", "resume"]
