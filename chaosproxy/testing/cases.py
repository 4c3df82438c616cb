"""What the laws are tried on: native answers, random times and ends, faults that come late, leases that end early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from hypothesis import strategies as st

from chaosproxy.events import RAW, TOKEN, Abort, Ask, Cut, End, Exchange, Frame, Framing, Head, Seen, Travelling
from chaosproxy.faults.base import Fault, Room
from chaosproxy.wire import websocket
from chaosproxy.wire.dialects import DIALECTS, dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import Dialect, is_sse

GAPS_S = (0.0, 0.01, 0.1, 0.5, 1.0, 3.0)
_UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "websocket"))
_RANGE = (("Range", "bytes=5-"),)
_CHUNK_BYTES = st.sampled_from((1, 2, 30, 99, 1000))
_SEEDS = st.integers(0, 9)
PIECES = ("a", "é", "日本", "🎉 ", '"x"', "two words ", "\\n")


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange as a fault meets it. ``events`` are what is still to come when it is attached at ``attach_at``."""

    exchange: Exchange
    attach_at: float
    events: tuple[Travelling, ...]
    heal_at: float | None
    seed: int

    @property
    def dialect(self) -> Dialect:
        """The dialect of the exchange."""
        return dialect(self.exchange.dialect)

    @property
    def head(self) -> Head | None:
        """The upstream's head, which may have come before the fault."""
        return next((event for event in self.events if isinstance(event, Head)), self.exchange.seen.head)

    def lasts(self, frame: Frame) -> bool:
        """Whether the fault is still at work when this frame comes."""
        return self.heal_at is None or frame.at < self.heal_at

    @property
    def frames(self) -> list[Frame]:
        """The frames that are to come."""
        return [event for event in self.events if isinstance(event, Frame)]


def reachable(fault: Fault) -> list[Exchange]:
    """A request of each dialect that the fault can act on, or one for a WebSocket."""
    if fault.on_messages:
        return [Exchange("x-1", "primary", 1, "GET", "/", headers=_UPGRADE)]
    requests = [
        Exchange("x-1", "primary", 1, "POST", "/", known.name, "m", None if known.name == "raw" else True, _RANGE)
        for known in DIALECTS
    ]
    return [request for request in requests if fault.lacks(request) is None]


@st.composite
def cases(draw: st.DrawFn, fault: Fault) -> Case:
    """A case that the fault can act on."""
    if fault.room is Room.TOXIC:
        return draw(connections())
    exchange = draw(st.sampled_from(reachable(fault)))
    upgraded = fault.on_messages and draw(st.integers(0, 9)) > 0
    events = draw(conversations() if upgraded else answers(dialect(exchange.dialect)))
    passed = draw(st.one_of(st.just(0), st.integers(0, len(events) - 1)))
    exchange = replace(exchange, seen=seen(events[:passed]))
    moments = sorted({event.at for event in events[passed:]})
    heal_at = draw(st.one_of(st.none(), st.sampled_from([at + shift for at in moments for shift in (0.0, 0.005)])))
    attach_at = events[passed - 1].at if passed else 0.0
    return Case(exchange, attach_at, tuple(events[passed:]), heal_at, draw(st.integers(0, 9)))


@st.composite
def connections(draw: st.DrawFn) -> Case:
    """One direction of a TCP connection: chunks of bytes, then a FIN or an RST."""
    chunks = [bytes([65 + number]) * size for number, size in enumerate(draw(st.lists(_CHUNK_BYTES, max_size=6)))]
    gaps = draw(st.lists(st.sampled_from(GAPS_S), min_size=len(chunks) + 2, max_size=len(chunks) + 2))
    attach_at, *chunks_at, end_at = accumulate(gaps)
    end = End(end_at) if draw(st.integers(0, 3)) else Abort(end_at, draw(st.sampled_from(Cut)))
    events = (*(Frame(at, data, RAW) for at, data in zip(chunks_at, chunks, strict=True)), end)
    moments = [at + shift for at in {attach_at, *chunks_at, end_at} for shift in (0.0, 0.005, 0.7)]
    heal_at = draw(st.one_of(st.none(), st.sampled_from(sorted(moments))))
    tunnel = Seen(head=Head(0.0, 101, framing=Framing.EMPTY), open=True)
    return Case(Exchange("x-1", "primary", 1, "CONNECT", "", seen=tunnel), attach_at, events, heal_at, draw(_SEEDS))


@st.composite
def answers(draw: st.DrawFn, spoken: Dialect) -> list[Travelling]:
    """Ask, Head, frames and an end, in the words of a dialect: streamed or plain, whole or broken off."""
    streamed = spoken.name != "raw" and draw(st.integers(0, 5)) > 0
    answer = draw(whole_answers())
    bodies = spoken.stream_frames(answer) if streamed else _pieces(draw, spoken.plain_body(answer))
    if streamed and is_sse(spoken) and draw(st.booleans()):
        bodies.insert(draw(st.integers(0, len(bodies) - 1)), b": keep-alive\n\n")
    gaps = draw(st.lists(st.sampled_from(GAPS_S), min_size=len(bodies) + 3, max_size=len(bodies) + 3))
    ask_at, head_at, *frames_at, end_at = accumulate(gaps)
    meaning = spoken.read_event if streamed else dialect("raw").read_event
    frames = [Frame(at, body, meaning(body)) for at, body in zip(frames_at, bodies, strict=True)]
    head = _head(draw, head_at, spoken, sum(map(len, bodies)), streamed=streamed)
    if draw(st.integers(0, 3)):
        return [Ask(ask_at), head, *frames, End(end_at)]
    kept = frames[: draw(st.integers(0, len(frames)))]
    return [Ask(ask_at), head, *kept, Abort(end_at, draw(st.sampled_from(Cut)))]


@st.composite
def conversations(draw: st.DrawFn) -> list[Travelling]:
    """Ask, a 101, and what a server sends over a WebSocket: messages, some in fragments, and pings in between."""
    frames: list[bytes] = []
    for number, piece in enumerate(draw(st.lists(st.sampled_from(PIECES), max_size=6))):
        text = f"{number} {piece}".encode()
        fragments = draw(st.sampled_from((1, 1, 1, 2, 3)))
        for fragment in range(fragments):
            opcode = websocket.CONTINUATION if fragment else draw(st.sampled_from((websocket.TEXT, websocket.BINARY)))
            frames.append(websocket.write_frame(opcode, text, fin=fragment == fragments - 1))
            if draw(st.integers(0, 4)) == 0:
                frames.append(websocket.write_frame(websocket.PING, b""))
    gaps = draw(st.lists(st.sampled_from(GAPS_S), min_size=len(frames) + 3, max_size=len(frames) + 3))
    ask_at, head_at, *frames_at, end_at = accumulate(gaps)
    head = Head(head_at, 101, "Switching Protocols", _UPGRADE, Framing.EMPTY)
    sent = [Frame(at, data) for at, data in zip(frames_at, frames, strict=True)]
    end = End(end_at) if draw(st.integers(0, 3)) else Abort(end_at, Cut.RESET)
    return [Ask(ask_at), head, *sent, end]


@st.composite
def whole_answers(draw: st.DrawFn) -> Answer:
    """What a model says."""
    text = tuple(draw(st.lists(st.sampled_from(PIECES), max_size=9)))
    tool = draw(st.sampled_from([None, None, ToolCall("f", ('{"a"', ": 1", "}"))]))
    finish = draw(st.sampled_from(Finish))
    return Answer("1", "m", 0, text, finish, 7, len(text), tool, include_usage=draw(st.booleans()))


def seen(events: Sequence[Travelling]) -> Seen:
    """How far an answer has come after these events."""
    frames = [event for event in events if isinstance(event, Frame)]
    return Seen(
        events=len(frames),
        tokens=sum(1 for frame in frames if frame.kind & TOKEN),
        bytes=sum(len(frame.data) for frame in frames),
        head=next((event for event in events if isinstance(event, Head)), None),
        open=bool(events),
    )


def _pieces(draw: st.DrawFn, body: bytes) -> list[bytes]:
    size = draw(st.sampled_from((7, 40, 1000)))
    return [body[start : start + size] for start in range(0, len(body), size)]


def _head(draw: st.DrawFn, at: float, spoken: Dialect, length: int, *, streamed: bool) -> Head:
    framing = draw(st.sampled_from((Framing.CHUNKED, Framing.CHUNKED, Framing.LENGTH, Framing.CLOSE)))
    media_type = spoken.stream_type if streamed else "application/json"
    head = Head(at, 200, "OK", (("content-type", media_type),), Framing.CHUNKED, streamed)
    return head.framed(framing, length if framing is Framing.LENGTH else None)
