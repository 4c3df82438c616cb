"""The WebSocket faults, as sequence diagrams without a socket."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from chaosproxy.events import OTHER, RAW, Abort, Ask, Cut, End, Exchange, Frame, Framing, Head, Hit, Travelling
from chaosproxy.faults import build, describe
from chaosproxy.faults.base import Fault
from chaosproxy.testing.cases import Case
from chaosproxy.testing.trial import Trial, trial
from chaosproxy.wire.websocket import BINARY, CONTINUATION, PING, TEXT, close_frame, write_frame

UPGRADE = (("Upgrade", "websocket"),)
EXCHANGE = Exchange("x-1", "a", 1, "GET", "/", headers=UPGRADE)
HEAD = Head(1.0, 101, "Switching Protocols", UPGRADE, Framing.EMPTY)


def text(word: str, *, opcode: int = TEXT, fin: bool = True) -> bytes:
    """A frame with a word."""
    return write_frame(opcode, word.encode(), fin=fin)


A, B, C = (text(word) for word in "abc")
PINGS = write_frame(PING, b"")


def play(fault: dict[str, Any], *frames: bytes | Frame, head: Head = HEAD, end: Travelling | None = None) -> Trial:
    """A frame each second from 2 s on, then an end."""
    sent = [frame if isinstance(frame, Frame) else Frame(float(at), frame, OTHER) for at, frame in enumerate(frames, 2)]
    events = (Ask(0.0), head, *sent, end or End(len(frames) + 2.0))
    built: Fault = build(fault)
    return trial(built, Case(EXCHANGE, 0.0, events, None, 1))


def got(done: Trial) -> list[bytes]:
    """What the client got."""
    return [frame.data for frame in done.frames]


def said(done: Trial) -> str:
    """What the fault said."""
    (told,) = done.said
    return told.detail if isinstance(told, Hit) else f"not hit: {told.reason}"


@pytest.mark.parametrize(
    ("where", "kept", "words"),
    [
        ("message:0", [], "before the first message"),
        ("message:1", [A], "after message 1"),
        ("first_event", [A], "after message 1"),
        ("message:2", [A, PINGS, B], "after message 2"),
    ],
)
def test_a_connection_is_closed_at_its_place(where: str, kept: list[bytes], words: str) -> None:
    """With the code, and nothing follows."""
    done = play({"type": "ws.close", "where": where, "code": 1013}, A, PINGS, B, C)

    assert got(done) == [*kept, close_frame(1013)]
    assert isinstance(done.ends[0], End)
    assert said(done) == f"closed with code 1013 {words}"


def test_a_message_in_fragments_is_one_message() -> None:
    """It ends with its last fragment, whatever comes in between."""
    parts = [text("a", fin=False), PINGS, text("b", opcode=CONTINUATION)]

    assert got(play({"type": "ws.close"}, *parts, C)) == [*parts, close_frame(1011)]
    assert got(play({"type": "ws.drop"}, A, *parts, C)) == [A, PINGS, C]


def test_a_large_frame_in_pieces_is_one_message() -> None:
    """Its head stands in the first piece."""
    large = write_frame(BINARY, bytes(100))
    pieces = [Frame(2.0, large[:40]), Frame(3.0, large[40:70], RAW), Frame(4.0, large[70:], RAW)]

    assert got(play({"type": "ws.close"}, *pieces, C)) == [*(piece.data for piece in pieces), close_frame(1011)]
    assert got(play({"type": "ws.drop", "each": 1}, *pieces, PINGS)) == [PINGS]
    late = play({"type": "ws.delay", "mean": "5s"}, *pieces)
    assert [frame.at for frame in late.frames] == [7.0, 8.0, 9.0]


def test_every_nth_message_is_dropped() -> None:
    """Control frames are not counted."""
    done = play({"type": "ws.drop"}, A, PINGS, B, C, A)

    assert got(done) == [A, PINGS, C]
    assert said(done) == "dropped one message in 2, first message 2"


def test_messages_are_late_and_in_order() -> None:
    """Pings stay behind the messages that they followed, and so does the end."""
    done = play({"type": "ws.delay", "mean": "3s"}, A, PINGS, B)

    assert [(frame.data, frame.at) for frame in done.frames] == [(A, 5.0), (PINGS, 5.0), (B, 7.0)]
    assert done.ends == [End(7.0)]
    assert said(done) == "messages 3s later"


@pytest.mark.parametrize("kind", ["ws.close", "ws.drop", "ws.delay"])
def test_a_connection_that_was_not_upgraded_has_no_messages(kind: str) -> None:
    """The answer passes."""
    refusal = Head(1.0, 426, "Upgrade Required", framing=Framing.CLOSE)
    done = play({"type": kind}, b"no, ", b"never, ", b"not at all", head=refusal)

    assert b"".join(got(done)) == b"no, never, not at all"
    assert said(done) == "not hit: the connection was not upgraded (426)"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"type": "ws.close", "where": "message:9"}, "the connection ended before message 9"),
        ({"type": "ws.drop", "each": 9}, "the connection ended before message 9"),
        ({"type": "ws.delay", "mean": "0s"}, "no message was delayed"),
    ],
)
def test_a_short_conversation_is_left_as_it_is(fault: dict[str, Any], reason: str) -> None:
    """Also one that ends inside a frame."""
    done = play(fault, A, B, b"\x81", end=Abort(9.0, Cut.RESET))

    assert got(done) == [A, B, b"\x81"]
    assert said(done) == f"not hit: {reason}"


def test_compressed_messages_are_not_dropped() -> None:
    """The client could not read those that follow."""
    head = Head(1.0, 101, "", (("Sec-WebSocket-Extensions", "permessage-deflate"),), Framing.EMPTY)
    done = play({"type": "ws.drop"}, A, B, head=head)

    assert said(done) == "not hit: the messages were compressed (permessage-deflate)"


def test_a_request_that_asks_for_no_websocket_is_not_reached() -> None:
    """With the reason."""
    plain = Exchange("x-1", "a", 1, "GET", "/", headers=(("Upgrade", "h2c"),))

    assert build({"type": "ws.close"}).lacks(plain) == "the request does not ask for a WebSocket"
    assert build({"type": "ws.close"}).lacks(EXCHANGE) is None


def test_only_a_place_between_messages_will_do() -> None:
    """An event of a WebSocket is a message."""
    fault = build({"type": "ws.close", "where": "event:2"})

    assert describe(fault)["where"] == "message:2"
    with pytest.raises(ValidationError, match=r"expected message:N or first_event, got 'token:2'"):
        build({"type": "ws.close", "where": "token:2"})
    with pytest.raises(ValidationError, match=r"the jitter \(2s\) is at most the mean \(1s\)"):
        build({"type": "ws.delay", "mean": "1s", "jitter": "2s"})


def test_dice_decide_about_jitter_only() -> None:
    """No stage without jitter draws."""
    dice = Random(1)
    state = dice.getstate()
    build({"type": "ws.delay"}).stage(dice, EXCHANGE).feed(Frame(1.0, A))

    assert dice.getstate() == state
