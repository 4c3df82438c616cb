"""An LLM server that does what a test says, byte by byte: aiohttp would refuse to misbehave so."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import Dialect

PIECES = ("Amber ", "größer ", "東京 ", "rain ", "🎉 ", "end.")
TEXT = "".join(PIECES)

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"


@dataclass
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[["Conversation"], Awaitable[None]]


@dataclass
class Conversation:
    """The connection that a script misuses."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def peer_left(self) -> None:
        """Wait until the other side closes."""
        try:
            while await self.reader.read(4096):
                pass
        except ConnectionError:
            return

    def reset(self) -> None:
        """End with an RST where the kernel lets us, never with a clean end."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class ScriptedUpstream:
    """Plays its scripts, one per request; the last one again and again."""

    scripts: Sequence[Script]
    requests: list[Received] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """A request came."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """The gateway closed a connection before the script was through."""

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            request = await _read_request(reader)
            if request is None:
                return
            self.requests.append(request)
            self.asked.set()
            script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
            try:
                await script(Conversation(reader, writer))
            except ConnectionError:
                self.left.set()
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(head[0].split()[1], headers, body, asyncio.get_running_loop().time())


# scripts -------------------------------------------------------------------------------------------------------------


def frames(dialect: Dialect, *, include_usage: bool = True) -> list[bytes]:
    """The events of a whole answer that says TEXT, one token each."""
    answer = Answer("1", "m", 0, PIECES, output_tokens=len(PIECES), prompt_tokens=3, include_usage=include_usage)
    return dialect.stream_frames(answer)


def first_tokens(dialect: Dialect, count: int) -> list[bytes]:
    """The events up to and with the given token."""
    events = frames(dialect)
    tokens = [index for index, event in enumerate(events) if dialect.read_event(event).text]
    return events[: tokens[count - 1] + 1] if count else events[: tokens[0]]


def clean(events: Sequence[bytes]) -> Script:
    """A stream of these events with a clean end."""

    async def play(peer: Conversation) -> None:
        await peer.send(HEAD)
        for event in events:
            await peer.chunk(event)
        await peer.send(b"0\r\n\r\n")

    return play


def then(events: Sequence[bytes], end: Script) -> Script:
    """A stream of these events, and then something that is no clean end."""

    async def play(peer: Conversation) -> None:
        await peer.send(HEAD)
        for event in events:
            await peer.chunk(event)
        await end(peer)

    return play


def plain(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, content_type: str = "application/json"
) -> Script:
    """A whole answer with a length."""
    fields = {"content-type": content_type, "content-length": str(len(body)), "connection": "close", **(headers or {})}
    head = "".join(f"{key}: {value}\r\n" for key, value in fields.items())

    async def play(peer: Conversation) -> None:
        await peer.send(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)

    return play


async def silence(peer: Conversation) -> None:
    """Nothing, until the other side gives up."""
    await peer.peer_left()
    raise ConnectionResetError


async def fin(peer: Conversation) -> None:
    """The connection closes, as it stands."""
    peer.writer.close()


async def reset(peer: Conversation) -> None:
    """The connection is reset, as it stands."""
    await asyncio.sleep(0.05)  # an RST may overtake what was sent before it
    peer.reset()


async def bad_chunk_size(peer: Conversation) -> None:
    """A chunk-size line that is none, and then nothing."""
    await asyncio.sleep(0.05)  # what shares a packet with it is lost with it
    await peer.send(b"zz\r\n")
    await silence(peer)


async def only_comments(peer: Conversation) -> None:
    """A stream that is kept alive and says nothing."""
    while True:
        await peer.chunk(b": keep-alive\n\n")
        await asyncio.sleep(0.01)
