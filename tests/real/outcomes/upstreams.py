"""What stands behind the proxy, a healthy server, and what stands in its place: servers that break by themselves.

The second kind shows that an outcome is the client's own, and not one that the proxy makes up.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from chaosproxy.events import Kind
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer
from tests.functional.wire_kit import LAST_CHUNK, Peer, Request, Script, chunk, plain
from tests.real.outcomes.faults import HEALTHY
from tests.real.sdk_bench import PACE_S, PIECES

Frames = list[bytes]
_PAYLOAD = re.compile(rb"(?:(?<=data: )|^)\{.*\}")


def frames(name: str) -> Frames:
    """The answer in that dialect, as a stream."""
    return dialect(name).stream_frames(Answer("1", "m", 1_700_000_000, PIECES, prompt_tokens=3, output_tokens=10))


def _head(name: str, *framing: str) -> bytes:
    """Status and fields of a stream."""
    fields = [f"Content-Type: {dialect(name).stream_type}", *framing]
    return "\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode()


def healthy(name: str) -> Script:
    """Answers every request as it should be."""
    return _Stream(frames).script(name)


Edit = Callable[[str], Frames]
"""From the name of a dialect to what is sent of the answer."""
End = Callable[[Peer], Awaitable[None]]


async def _end(peer: Peer) -> None:
    await peer.send(LAST_CHUNK)


async def _stay(peer: Peer) -> None:
    """The answer ends by its length."""


async def _close(peer: Peer) -> None:
    peer.writer.close()


async def _reset(peer: Peer) -> None:
    await asyncio.sleep(0.1)  # an RST overtakes what was sent, and nothing tells a server that it was read
    peer.reset()


async def _silence(peer: Peer) -> None:
    await peer.reader.read()


@dataclass(frozen=True)
class _Stream:
    """A streamed answer, and how it ends. ``framing`` as in stream.truncate."""

    edit: Edit
    end: End = _end
    framing: str = "chunked"

    def script(self, name: str) -> Script:
        pieces = [chunk(piece) for piece in self.edit(name)] if self.framing == "chunked" else self.edit(name)
        length = sum(map(len, pieces))
        told = {"chunked": ["Transfer-Encoding: chunked"], "length": [f"Content-Length: {length}"], "close": []}

        async def play(request: Request, peer: Peer) -> None:
            await send_paced(peer, [_head(name, *told[self.framing]), *pieces])
            await self.end(peer)

        return play


async def send_paced(peer: Peer, pieces: Frames) -> None:
    """As a model does, and not all in one packet."""
    for piece in pieces:
        await peer.send(piece)
        await asyncio.sleep(PACE_S)


@dataclass(frozen=True)
class _BadChunkSize:
    """A streamed answer with a malformed chunk-size line after that token."""

    token: int

    def script(self, name: str) -> Script:
        pieces = [chunk(piece) for piece in frames(name)]
        pieces.insert(_place(name, self.token) + 1, b"zz\r\n")

        async def play(request: Request, peer: Peer) -> None:
            await send_paced(peer, [_head(name, "Transfer-Encoding: chunked"), *pieces, LAST_CHUNK])
            peer.writer.close()

        return play


@dataclass(frozen=True)
class _Status:
    """An error status in the words of the dialect."""

    status: int
    fields: tuple[str, ...] = ()

    def script(self, name: str) -> Script:
        fields, body = dialect(name).error(self.status, error_type=None, code=None, message=None)
        told = [*(f"{key}: {value}" for key, value in fields), *self.fields]

        async def play(request: Request, peer: Peer) -> None:
            await peer.send(plain(body, f"{self.status} Broken", *told))

        return play


@dataclass(frozen=True)
class _Nothing:
    """No answer at all."""

    end: End

    def script(self, name: str) -> Script:
        async def play(request: Request, peer: Peer) -> None:
            await self.end(peer)

        return play


def _place(name: str, token: int) -> int:
    """The index of the frame with that token."""
    read = dialect(name).read_event
    return [index for index, frame in enumerate(frames(name)) if read(frame).kind & Kind.CONTENT][token - 1]


def _cut(token: int) -> Edit:
    """Up to that token; nothing with 0."""
    return lambda name: frames(name)[: _place(name, token) + 1] if token else []


def _swapped(token: int, change: Callable[[bytes], bytes]) -> Edit:
    def edit(name: str) -> Frames:
        pieces, place = frames(name), _place(name, token)
        broken = _PAYLOAD.sub(lambda payload: change(payload[0]), pieces[place])
        return [*pieces[:place], broken, *pieces[place + 1 :]]

    return edit


def _without(token: int) -> Edit:
    return lambda name: [piece for index, piece in enumerate(frames(name)) if index != _place(name, token)]


def _error_after(token: int) -> Edit:
    return lambda name: [*_cut(token)(name), dialect(name).error_event(None, None)]


def _no_terminal(name: str) -> Frames:
    read = dialect(name).read_event
    return [piece for piece in frames(name) if not read(piece).kind & Kind.TERMINAL]


RAW: Mapping[str, _Stream | _Status | _Nothing | _BadChunkSize] = {
    "stream.chunk_size where=token:5": _BadChunkSize(5),
    HEALTHY: _Stream(frames),
    "http.status status=401": _Status(401),
    "http.status status=408": _Status(408),
    "http.status status=503": _Status(503),
    "http.status status=529": _Status(529),
    "http.rate_limit retry_after=3600": _Status(429, ("Retry-After: 3600",)),
    "conn.refuse stage=after_request": _Nothing(_reset),
    "conn.blackhole": _Nothing(_silence),
    "time.stall where=event:0": _Stream(_cut(0), _silence),
    "time.stall where=token:5": _Stream(_cut(5), _silence),
    "time.stall where=after_terminal": _Stream(frames, _silence),
    "stream.truncate where=event:0": _Stream(_cut(0)),
    "stream.truncate where=token:5": _Stream(_cut(5)),
    "stream.truncate where=token:5 framing=close": _Stream(_cut(5), _close, "close"),
    "stream.truncate where=token:5 framing=length": _Stream(_cut(5), _stay, "length"),
    "stream.fin where=token:5": _Stream(_cut(5), _close),
    "stream.fin where=after_terminal": _Stream(frames, _close),
    "stream.reset where=token:5": _Stream(_cut(5), _reset),
    "sse.drop where=token:5": _Stream(_without(5)),
    "sse.malformed where=token:5": _Stream(_swapped(5, lambda payload: payload[: len(payload) // 2])),
    "sse.malformed where=token:5 mode=not_json": _Stream(_swapped(5, lambda payload: b"not json")),
    "sse.malformed where=token:5 mode=json_null": _Stream(_swapped(5, lambda payload: b"null")),
    "llm.error_event where=event:0": _Stream(_error_after(0)),
    "llm.error_event where=token:5": _Stream(_error_after(5)),
    "llm.no_terminal which=done": _Stream(_no_terminal),
}
"""By the fault that they are in place of."""
