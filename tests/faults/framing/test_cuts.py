"""stream.truncate, stream.fin and stream.reset: three ends of a stream that clients can tell apart."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from pydantic import ValidationError

from chaosproxy.events import RAW, End, Exchange, Frame, Framing, Head, Miss, Travelling
from chaosproxy.faults.chain import Chain
from chaosproxy.faults.framing.fin import StreamFin
from chaosproxy.faults.framing.held_back import HELD_BYTES_MAX
from chaosproxy.faults.framing.reset import StreamReset
from chaosproxy.faults.framing.truncate import StreamTruncate
from chaosproxy.faults.where import Where
from tests.faults.playbook import play

UPSTREAM = "ask head role a b c finish usage done end"


@pytest.mark.parametrize(
    ("line", "client", "said"),
    [
        ("stream.truncate where=token:2", "ask@0 head@1 role@2 a@3 b@4 end@4", "cut after token 2"),
        ("stream.truncate where=event:0", "ask@0 head@1 end@2", "cut before the first event"),
        (
            "stream.truncate where=before_terminal",
            "ask@0 head@1 role@2 a@3 b@4 c@5 finish@6 usage@7 end@8",
            "cut before the terminal event",
        ),
        ("stream.fin where=token:1", "ask@0 head@1 role@2 a@3 fin@3", "connection closed (FIN) after token 1"),
        (
            "stream.fin where=after_terminal",
            "ask@0 head@1 role@2 a@3 b@4 c@5 finish@6 usage@7 done@8 fin@8",
            "connection closed (FIN) after the terminal event",
        ),
        ("stream.reset where=token:0", "ask@0 head@1 role@2 rst@3", "reset (RST) before the first token"),
    ],
)
def test_a_stream_ends_at_its_place(line: str, client: str, said: str) -> None:
    """Cleanly, with a FIN before the last chunk, or with an RST."""
    played = play(line, UPSTREAM)

    assert (played.client, played.said) == (client, said)


@pytest.mark.parametrize(("name", "end"), [("stream.truncate", "end"), ("stream.fin", "fin"), ("stream.reset", "rst")])
def test_a_body_without_events_is_cut_at_a_byte(name: str, end: str) -> None:
    """The bytes before the place arrive, in the middle of a piece too."""
    played = play(f"{name} where=byte:15", "ask plain raw raw end", spoken="raw")

    assert played.client == f"ask@0 head@1 raw@2 <01234>@3 {end}@3"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("stream.truncate where=token:9", "the answer ended before token 9"),
        ("stream.truncate where=event:7", "the answer was complete after event 7"),
        ("stream.fin where=token:9", "the answer ended before token 9"),
        ("stream.reset where=percent:50", "the length of the answer is not known, so a percentage of it is not either"),
    ],
)
def test_a_place_that_never_comes_is_a_miss(line: str, reason: str) -> None:
    """The answer passes as it is, and the reason is told."""
    played = play(line, UPSTREAM)

    assert played.client == play("time.stall hold=0s", UPSTREAM).client
    assert played.said == f"not hit: {reason}"


def test_an_answer_that_is_not_streamed_has_no_tokens() -> None:
    """The words of the issue."""
    played = play("stream.truncate where=token:2", "ask plain raw raw end")

    assert played.said == "not hit: the answer was not streamed"


def test_a_fault_may_come_in_mid_stream() -> None:
    """It counts from the beginning of the answer, and knows what has passed."""
    assert play("stream.truncate where=token:3", UPSTREAM, after=5).client == "c@5 end@5"
    assert play("stream.truncate where=token:2", UPSTREAM, after=5).said == "not hit: token 2 had already passed"


@pytest.mark.parametrize(
    ("line", "framing"),
    [
        ("stream.truncate where=token:2", Framing.CHUNKED),
        ("stream.truncate where=token:2 framing=close", Framing.CLOSE),
        ("stream.fin where=token:2", Framing.CHUNKED),
    ],
)
def test_the_head_announces_an_end_that_can_come(line: str, framing: Framing) -> None:
    """A content-length that no longer fits would turn a clean end into a broken one."""
    head = play(line, UPSTREAM, framing=Framing.LENGTH, length=5000).head

    assert (head.framing, head.length) == (framing, None)


def test_a_head_that_has_left_cannot_be_taken_back() -> None:
    """With a length announced, a clean early end is impossible."""
    played = play("stream.truncate where=token:2", UPSTREAM, after=3, framing=Framing.LENGTH, length=5000)

    assert played.said == "not hit: the head had already announced how the body ends (length)"


def test_a_body_of_no_bytes_stays_one() -> None:
    """An answer to HEAD has no body that could get chunks."""
    for line in (
        "stream.truncate where=byte:3",
        "stream.truncate where=byte:3 framing=close",
        "stream.fin where=byte:3",
    ):
        assert play(line, "ask plain end", framing=Framing.EMPTY).head.framing is Framing.EMPTY


def test_a_cut_with_a_length_waits_for_it() -> None:
    """The whole answer leaves at the moment of the cut, with the length that it has then."""
    played = play("stream.truncate where=token:2 framing=length", UPSTREAM)

    assert played.client == "ask@0 head@4 role@4 a@4 b@4 end@4"
    assert played.head.length == len(played.body)


def test_a_held_answer_that_is_not_cut_leaves_as_it_was() -> None:
    """With its own head, when the reason not to cut it is known."""
    missed = play("stream.truncate where=token:9 framing=length", "ask head a b end")
    healed = play("stream.truncate where=token:9 framing=length", "ask head a b end", heal_at=2.5)

    assert (missed.client, missed.head.framing) == ("ask@0 head@4 a@4 b@4 end@4", Framing.CHUNKED)
    assert healed.client == "ask@0 head@2.5 a@2.5 b@3 end@4"


def test_an_answer_that_is_too_long_is_not_held_back() -> None:
    """Memory has a limit, and the miss names it."""
    cut = StreamTruncate(where=Where("byte", 2 * HELD_BYTES_MAX), framing="length")
    answer: list[Travelling] = [
        Head(0.0, 200),
        Frame(1.0, bytes(HELD_BYTES_MAX), RAW),
        Frame(2.0, b"1", RAW),
        Frame(3.0, b"2", RAW),
        End(4.0),
    ]
    chain = Chain()
    chain.attach("cut", cut.stage(Random(1), Exchange("x", "l", 1, "GET", "/")), 0.0)
    out: list[Travelling] = []
    for event in answer:
        chain.push(event)
        out += chain.advance(event.at)

    assert out == [replace(event, at=max(2.0, event.at)) for event in answer]
    assert [report.said for report in chain.take_reports()] == [
        Miss(2.0, f"the answer is longer than {HELD_BYTES_MAX} bytes")
    ]


def test_a_cut_that_would_cut_nothing_is_refused() -> None:
    """A fault that could never take effect is an error, not silence."""
    with pytest.raises(ValidationError, match="nothing comes after the terminal event"):
        StreamTruncate(where=Where("after_terminal", 0))


@pytest.mark.parametrize("fault", [StreamTruncate, StreamFin, StreamReset])
def test_a_place_between_events_needs_events(fault: type[StreamTruncate | StreamFin | StreamReset]) -> None:
    """On other requests the fault says what it lacks; a byte can be found anywhere."""
    plain = Exchange("x", "l", 1, "POST", "/", "openai.chat", stream=False)
    raw = Exchange("x", "l", 1, "GET", "/")
    by_token, by_byte = fault(where=Where("token", 1)), fault(where=Where("byte", 1))

    assert by_token.lacks(plain) == "the request does not ask for a stream"
    assert by_token.lacks(raw) == "the request is not of a known dialect"
    assert (by_byte.lacks(plain), by_byte.lacks(raw)) == (None, None)
    assert (by_token.edits_frames, by_byte.edits_frames) == (True, False)
