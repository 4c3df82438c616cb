"""``byte:N`` in awkward spots: inside a character of several bytes, inside the arguments of a tool call."""

from __future__ import annotations

from random import Random

import pytest

from chaosproxy.events import Abort, Ask, Cut, End, Exchange, Frame, Framing, Head
from chaosproxy.faults import build
from chaosproxy.faults.chain import Chain
from chaosproxy.testing.cases import Case
from chaosproxy.testing.trial import Trial, trial
from chaosproxy.wire.dialects import DIALECTS, dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import Dialect
from tests.faults.playbook import play

ANSWER = Answer("1", "m", 0, ("caf", "é ", "東京"), Finish.TOOL, 3, 4, ToolCall("f", ('{"city": "Paris"}',)))
SPEAKERS = [spoken for spoken in DIALECTS if spoken.name != "raw"]
SPOTS = {"a character": ("東".encode(), 2), "tool arguments": (b"Paris", 3)}
"""What the place lies in, and how many bytes of it still come."""
HOLD_S = 1000.0
"""Longer than any answer here takes."""


def bodies(spoken: Dialect, *, streamed: bool) -> list[bytes]:
    """The events of a streamed answer, or a plain one in pieces that are no events."""
    if streamed:
        return spoken.stream_frames(ANSWER)
    body = spoken.plain_body(ANSWER)
    return [body[begin : begin + 7] for begin in range(0, len(body), 7)]


def tried(spoken: Dialect, do: dict[str, object], *, streamed: bool) -> Trial:
    """One answer with a length under one fault, a second between its pieces."""
    pieces = bodies(spoken, streamed=streamed)
    length = sum(map(len, pieces))
    head = Head(1.0, 200, streamed=streamed).framed(Framing.LENGTH, length)
    read = spoken.read_event if streamed else dialect("raw").read_event
    frames = [Frame(2.0 + index, data, read(data)) for index, data in enumerate(pieces)]
    exchange = Exchange("x-1", "primary", 1, "POST", "/", spoken.name, "m", streamed)
    return trial(build(do), Case(exchange, 0.0, (Ask(0.0), head, *frames, End(frames[-1].at)), None, 1))


def spot(spoken: Dialect, name: str, *, streamed: bool) -> int | None:
    """The byte in the body; None where this dialect cannot say it."""
    word, inside = SPOTS[name]
    begin = b"".join(bodies(spoken, streamed=streamed)).find(word)
    return None if begin < 0 else begin + inside


@pytest.mark.parametrize("name", ["stream.truncate", "stream.fin", "stream.reset", "time.stall", "stream.cut_event"])
@pytest.mark.parametrize("inside", SPOTS)
@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("spoken", SPEAKERS, ids=lambda spoken: spoken.name)
def test_the_bytes_before_it_come_and_no_others(spoken: Dialect, inside: str, name: str, *, streamed: bool) -> None:
    """In every dialect, in the middle of an event and of a plain answer."""
    byte = spot(spoken, inside, streamed=streamed)
    if byte is None:
        assert (spoken.name, inside) == ("ollama.generate", "tool arguments")  # it has none
        return
    if name == "stream.cut_event" and not streamed:
        return  # a plain answer has no events
    held = {"hold": f"{HOLD_S:g}s"} if name == "time.stall" else {}
    done = tried(spoken, {"type": name, "where": f"byte:{byte}", **held}, streamed=streamed)

    body = b"".join(bodies(spoken, streamed=streamed))
    before = b"".join(frame.data for frame in done.frames if frame.at < HOLD_S)
    assert before == body[:byte]
    assert f"byte {byte}" in str(done.said)
    if name == "time.stall":
        assert b"".join(frame.data for frame in done.frames) == body
    else:
        ends = {"stream.fin": Cut.FIN, "stream.reset": Cut.RESET}
        assert getattr(done.ends[0], "how", None) == ends.get(name)
        assert isinstance(done.ends[0], Abort if name in ends else End)


@pytest.mark.parametrize("spoken", SPEAKERS, ids=lambda spoken: spoken.name)
def test_every_byte_of_a_stream_can_be_the_last(spoken: Dialect) -> None:
    """But the very last one, after which nothing is left to cut off."""
    body = b"".join(bodies(spoken, streamed=True))
    for byte in range(len(body) + 1):
        done = tried(spoken, {"type": "stream.fin", "where": f"byte:{byte}"}, streamed=True)
        assert b"".join(frame.data for frame in done.frames) == body[:byte]
        assert done.hit == (byte < len(body)), byte


def test_an_event_is_cut_at_the_very_byte() -> None:
    """Not in its half, as an event that is named by its number."""
    played = play("stream.cut_event where=byte:3", "ask head a b end")

    assert (played.client, played.said) == ("ask@0 head@1 <dat>@2 end@2", "cut after byte 3")


def test_between_two_events_there_is_none_to_cut() -> None:
    """A clean end there is stream.truncate's."""
    length = len(play("time.stall hold=0s", "ask head a end").body)
    played = play(f"stream.cut_event where=byte:{length}", "ask head a b end")

    assert played.client == "ask@0 head@1 a@2 b@3 end@4"
    assert played.said == f"not hit: an event begins after byte {length}, so no event is cut there"


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "plain"])
def test_a_percentage_is_a_byte_of_any_answer_with_a_length(*, streamed: bool) -> None:
    """Rounded down."""
    spoken = dialect("openai.chat")
    body = b"".join(bodies(spoken, streamed=streamed))
    done = tried(spoken, {"type": "stream.fin", "where": "percent:50"}, streamed=streamed)

    assert b"".join(frame.data for frame in done.frames) == body[: len(body) // 2]


@pytest.mark.parametrize("where", ["event:1", "token:1", "first_event", "before_terminal", "after_terminal"])
def test_a_plain_answer_has_no_events_tokens_or_end_marker(where: str) -> None:
    """Asked for, it is said before anything is sent; come unasked, it is a miss."""
    fin = build({"type": "stream.fin", "where": where})
    asked = Exchange("x-1", "primary", 1, "POST", "/", "openai.chat", "m", stream=False)

    assert fin.lacks(asked) == "the request does not ask for a stream"
    assert play(fin, "ask plain raw end").said == "not hit: the answer was not streamed"


def test_half_an_event_is_no_event() -> None:
    """A later fault counts the same events when an earlier one has split one of them."""
    chain = Chain()
    exchange = Exchange("x-1", "primary", 1, "POST", "/", "openai.chat", "m", stream=True)
    for name, where in (("time.stall", "byte:3"), ("stream.fin", "event:2")):
        hold = {"hold": "1ms"} if name == "time.stall" else {}
        chain.attach(name, build({"type": name, "where": where, **hold}).stage(Random(1), exchange), 0.0)
    frames = dialect("openai.chat").stream_frames(ANSWER)
    chain.push(Head(0.0, 200, streamed=True))
    for at, data in enumerate(frames, 1):
        chain.push(Frame(float(at), data, dialect("openai.chat").read_event(data)))
    out = chain.advance(99.0)

    assert b"".join(event.data for event in out if isinstance(event, Frame)) == b"".join(frames[:2])
