"""Both ends of a proxy, byte by byte: an upstream that plays a script, and a client that sees how a body ends."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chaosproxy.dice import Dice
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.proxy.certificates import KeyPair
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy

PATH = "/v1/chat/completions"
SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def event(text: str) -> bytes:
    """One content event of an OpenAI stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


def events(count: int) -> list[bytes]:
    """That many content events and the end marker."""
    return [event(f"wörd{number} ") for number in range(1, count + 1)] + [DONE]


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream(frames: list[bytes], stream_type: str = "text/event-stream") -> bytes:
    """A whole streamed answer, one chunk for each frame."""
    return SSE_HEAD.replace(b"text/event-stream", stream_type.encode()) + b"".join(map(chunk, frames)) + LAST_CHUNK


def plain(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole plain answer."""
    fields = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


def ask(prompt: str = "hi", *, stream: bool = True, headers: str = "") -> bytes:
    """A chat request."""
    body = json.dumps({"model": "m", "stream": stream, "messages": [{"role": "user", "content": prompt}]}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Request:
    """What an upstream got: request line and fields as they came, and the body."""

    line: str
    fields: list[str]
    body: bytes

    def field(self, name: str) -> str | None:
        """The value of the first field of that name."""
        values = (line.partition(":")[2].strip() for line in self.fields if line.lower().startswith(f"{name}:"))
        return next(values, None)


@dataclass
class Peer:
    """A connection that an upstream accepted."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        reset(self.writer)


Script = Callable[[Request, Peer], Awaitable[None]]


@dataclass
class Upstream:
    """A server that plays ``script`` for each request. The script may close the connection."""

    script: Script
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0


def answers(data: bytes) -> Script:
    """A script that always sends the same bytes."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(data)

    return play


@asynccontextmanager
async def upstream(script: Script) -> AsyncIterator[Upstream]:
    """Run an upstream."""
    server_side = Upstream(script)
    open_writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_side.connections += 1
        open_writers.add(writer)
        peer = Peer(reader, writer)
        try:
            while not writer.is_closing():
                request = await read_request(reader)
                server_side.requests.append(request)
                await server_side.script(request, peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            peer.gone.set()
            open_writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    server_side.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield server_side
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()


async def read_request(reader: asyncio.StreamReader) -> Request:
    """One request, its body by length or in chunks."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    request = Request(head[0], [line for line in head[1:] if line], b"")
    if (length := request.field("content-length")) is not None:
        request.body = await reader.readexactly(int(length))
    elif request.field("transfer-encoding"):
        request.body = b"".join([piece async for piece in read_chunks(reader)])
    return request


async def read_chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The chunks of a body."""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)


@dataclass
class Answer:
    """What a client got. ``ended``: end (as framed), fin (too early), reset."""

    head: str = ""
    pieces: list[bytes] = field(default_factory=list)
    ended: str = "end"

    @property
    def status(self) -> int:
        return int(self.head.split(" ")[1])

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def fields(self) -> list[str]:
        return self.head.split("\r\n")[1:]


class Client:
    """A connection to a proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, url: str, **limits: int) -> Client:
        host, _, port = url.partition("://")[2].partition(":")
        return cls(*await asyncio.open_connection(host, int(port), **limits))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> str:
        return (await self.reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")

    async def chunk(self) -> bytes:
        """The next chunk of a body that is under way."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def read(self, *, has_body: bool = True) -> Answer:
        """A whole answer, however it ends."""
        answer = Answer()
        try:
            answer.head = await self.head()
            if has_body:
                await self._read_body(answer)
        except asyncio.IncompleteReadError as error:
            answer.pieces.append(error.partial)
            answer.ended = "fin"
        except ConnectionResetError:
            answer.ended = "reset"
        return answer

    async def _read_body(self, answer: Answer) -> None:
        fields = answer.head.lower()
        if "transfer-encoding: chunked" in fields:
            async for piece in read_chunks(self.reader):
                answer.pieces.append(piece)
        elif "content-length: " in fields:
            length = int(fields.partition("content-length: ")[2].split("\r\n")[0])
            answer.pieces.append(await self.reader.readexactly(length))
        else:
            answer.pieces.append(await self.reader.read())

    async def call(self, request: bytes) -> Answer:
        await self.send(request)
        return await self.read()

    def close(self) -> None:
        self.writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with an RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def call(url: str, request: bytes) -> Answer:
    """One request on a connection of its own."""
    client = await Client.connect(url)
    try:
        return await client.call(request)
    finally:
        client.close()


class Journal:
    """The records of a proxy, and a way to wait for them."""

    def __init__(self) -> None:
        self.records: list[AnyRecord] = []
        self._grown = asyncio.Event()

    def add(self, entry: Entry) -> None:
        self.records.append(entry.record)
        self._grown.set()

    @property
    def exchanges(self) -> list[ExchangeRecord]:
        return [record for record in self.records if isinstance(record, ExchangeRecord)]

    async def until(self, is_there: Callable[[Journal], bool]) -> None:
        """Wait for a state of the journal."""
        async with asyncio.timeout(5):
            while not is_there(self):
                self._grown.clear()
                await self._grown.wait()

    async def exchange(self, number: int = 1) -> ExchangeRecord:
        """The number-th exchange that ended."""
        await self.until(lambda journal: len(journal.exchanges) >= number)
        return self.exchanges[number - 1]


@dataclass
class Bench:
    """A proxy with one listener in front of an upstream, and its journal."""

    proxy: Proxy
    upstream: Upstream
    journal: Journal

    @property
    def url(self) -> str:
        return self.proxy.urls["a"]


@asynccontextmanager
async def bench(
    script: Script,
    limits: Limits | None = None,
    base_path: str = "",
    header_dice: Dice | None = None,
    tls: KeyPair | None = None,
) -> AsyncIterator[Bench]:
    """Client side, proxy and upstream in the running loop."""
    async with upstream(script) as server_side:
        journal = Journal()
        spec = ListenerSpec("a", "127.0.0.1:0", server_side.url + base_path, tls=tls)
        limits = limits or Limits(stop_s=0.2)
        async with Proxy([spec], record=journal.add, limits=limits, header_dice=header_dice, token="t") as proxy:
            yield Bench(proxy, server_side, journal)
