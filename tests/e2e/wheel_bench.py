"""A healthy upstream in every dialect, the wheel's proxy, and a client that sees every byte."""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaosproxy.events import Exchange
from chaosproxy.faults.base import Fault
from chaosproxy.journal.records import AnyRecord, from_line
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
from chaosproxy.wire.dialects import DIALECTS, detect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.websocket import TEXT, close_frame, write_frame
from tests.functional.wire_kit import Peer, Request, plain, stream
from tests.wheel_kit import Installed

PIECES = ("Frère", " Jacques,", " dors", "-tu,", " dors", "-tu?", " Sonnez", " les", " matines!")
FILE = bytes(range(256)) * 4
RANGE = (100, 299)
MESSAGES = (b"one", b"two", b"three", b"four")
HELD = "/held"
"""The upstream answers the first half, and waits for its client to leave."""
_SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
QUIET_S = 0.5
"""How long nothing must come after a hit for the connection to count as hanging."""
PATIENCE_S = 120


async def speak(request: Request, peer: Peer) -> None:
    """Answer in the dialect of the path; a path with "tool" is answered with a tool call."""
    method, path, _ = request.line.split(" ")
    if path == Socket.path:
        await peer.send(_SWITCHED + b"".join(write_frame(TEXT, text) for text in MESSAGES) + close_frame(1000))
        peer.writer.close()
        return
    if path == HELD:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
        await peer.gone.wait()
        return
    spoken = detect(method, path)
    if spoken.name == "raw":
        await peer.send(_download(request))
        return
    facts = spoken.read_request(request.body, path)
    tool = ToolCall("weather", ('{"city": ', '"Paris"}')) if "/tool/" in path else None
    answer = Answer(
        *("1", "m", 1_700_000_000, PIECES),
        finish=Finish.TOOL if tool else Finish.STOP,
        prompt_tokens=3,
        output_tokens=len(PIECES),
        tool=tool,
        include_usage=True,
    )
    if facts.stream:
        await peer.send(stream(spoken.stream_frames(answer), spoken.stream_type))
    else:
        await peer.send(plain(spoken.plain_body(answer), "200 OK", "Content-Type: application/json"))


def _download(request: Request) -> bytes:
    if request.field("range") is None:
        return plain(FILE, "200 OK", "Content-Type: application/octet-stream")
    first, last = RANGE
    told = f"Content-Range: bytes {first}-{last}/{len(FILE)}"
    return plain(FILE[first : last + 1], "206 Partial Content", "Content-Type: application/octet-stream", told)


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of request: a dialect, streamed or plain; for raw the whole file or a part of it."""

    dialect: Dialect
    stream: bool
    tool: bool = False

    @property
    def name(self) -> str:
        """Such as openai.chat-stream."""
        kinds = ("part", "file") if self.dialect.name == "raw" else ("stream", "plain")
        return f"{self.dialect.name}-{kinds[not self.stream]}"

    @property
    def path(self) -> str:
        """The path tells in the journal which request it was."""
        return f"/{'tool' if self.tool else 'text'}/{self.name}{self.dialect.request_path('m', stream=self.stream)}"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Only a part of a file needs some."""
        ranged = self.dialect.name == "raw" and self.stream
        return (("Range", "bytes={}-{}".format(*RANGE)),) if ranged else ()

    def claimed_by(self, fault: Fault) -> bool:
        """Whether the fault says that it can act on this request."""
        stream = None if self.dialect.name == "raw" else self.stream
        facts = Exchange("1", "a", 1, "POST", self.path, self.dialect.name, stream=stream, headers=self.headers)
        return fault.lacks(facts) is None

    def request(self) -> bytes:
        """Its bytes; the proxy shall close the connection, so that its end can be seen."""
        messages = [{"role": "user", "content": "hi", "parts": [{"text": "hi"}]}]
        said = {"model": "m", "stream": self.stream, "messages": messages, "input": "hi", "prompt": "hi"}
        body = json.dumps({**said, "contents": messages, "max_tokens": 99}).encode()
        method, body = ("GET", b"") if self.dialect.name == "raw" else ("POST", body)
        fields = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        head = f"{method} {self.path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{fields}"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Socket:
    """A WebSocket, on which the upstream says MESSAGES."""

    name = "websocket"
    path = "/socket"

    def request(self) -> bytes:
        """The upgrade."""
        fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5"
        return f"GET {self.path} HTTP/1.1\r\nHost: here\r\n{fields}\r\n\r\n".encode()


def asks(*, tool: bool = False) -> Iterator[Ask]:
    """All kinds of requests."""
    for spoken in DIALECTS:
        yield Ask(spoken, stream=True, tool=tool)
        yield Ask(spoken, stream=False, tool=tool)


@dataclass(slots=True)
class View:
    """What a client saw. ``end``: end (as framed), fin (too early), reset, hang, refused, protocol (malformed)."""

    raw: bytes = b""
    end: str = "fin"
    took_s: float = 0.0
    status: int | None = None
    fields: dict[str, str] = field(default_factory=dict)
    framing: str = ""
    body: bytes = b""

    def read(self) -> View:
        """Tell head, body and end in the bytes."""
        head, blank, rest = self.raw.partition(b"\r\n\r\n")
        if not blank:
            return self
        line, *lines = head.decode().split("\r\n")
        self.status = int(line.split(" ")[1])
        self.fields = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        if self.fields.pop("transfer-encoding", None):
            self.framing = "chunked"
            whole = self._dechunk(rest)
        elif (length := self.fields.pop("content-length", None)) is not None:
            self.framing, self.body = "length", rest
            whole = len(rest) == int(length)
        else:
            self.framing, self.body, whole = "close", rest, True
        self.fields.pop("connection", None)
        if self.end == "fin" and whole:
            self.end = "end"
        return self

    def _dechunk(self, rest: bytes) -> bool:
        while rest:
            line, _, rest = rest.partition(b"\r\n")
            try:
                size = int(line, 16)
            except ValueError:
                self.end = "protocol"
                return False
            if size == 0:
                return rest == b"\r\n"
            self.body += rest[:size]
            rest = rest[size + 2 :]
        return False

    def differs(self, healthy: View) -> set[str]:
        """The aspects in which it is another."""
        names = ("status", "fields", "framing", "body", "end")
        return {name for name in names if getattr(self, name) != getattr(healthy, name)}


class Journal:
    """What the proxy says on its standard output, as it comes."""

    def __init__(self) -> None:
        self.records: list[AnyRecord] = []
        self._grown = asyncio.Condition()

    async def follow(self, lines: asyncio.StreamReader) -> None:
        """Until the process ends."""
        async for line in lines:
            async with self._grown:
                self.records.append(from_line(line.decode()))
                self._grown.notify_all()

    def exchange(self, listener: str, path: str) -> ExchangeRecord | None:
        """The exchange of that request, once it has ended."""
        found = (each for each in self.records if isinstance(each, ExchangeRecord) and each.listener == listener)
        return next((each for each in found if each.path == path), None)

    def hits(self, listener: str) -> list[FaultHit]:
        """The hits at one listener; one of an exchange comes before the exchange."""
        return [each for each in self.records if isinstance(each, FaultHit) and each.listener == listener]

    async def until_exchange(self, listener: str, path: str) -> ExchangeRecord:
        """Wait for it."""
        async with asyncio.timeout(PATIENCE_S), self._grown:
            await self._grown.wait_for(lambda: self.exchange(listener, path) is not None)
        found = self.exchange(listener, path)
        assert found is not None
        return found

    async def until_hits(self, listener: str, count: int) -> None:
        """Wait for so many hits at a listener."""
        async with asyncio.timeout(PATIENCE_S), self._grown:
            await self._grown.wait_for(lambda: len(self.hits(listener)) >= count)


@dataclass
class Proxied:
    """The running proxy: its listeners by name, and its journal."""

    urls: dict[str, str]
    journal: Journal

    async def connect(self, listener: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of one's own."""
        host, _, port = self.urls[listener].removeprefix("http://").partition(":")
        return await asyncio.open_connection(host, int(port))

    async def see(self, listener: str, ask: Ask | Socket, hangs_after: int | None = None) -> View:
        """Send a request, and watch until the connection ends; ``hangs_after`` hits and silence we end it."""
        began, view = time.monotonic(), View()
        try:
            reader, writer = await self.connect(listener)
        except ConnectionRefusedError:
            return View(end="refused")
        try:
            writer.write(ask.request())
            if hangs_after is not None:
                await self.journal.until_hits(listener, hangs_after)
            async with asyncio.timeout(PATIENCE_S):
                while data := await self._piece(reader, hangs=hangs_after is not None):
                    view.raw += data
        except ConnectionResetError:
            view.end = "reset"
        except TimeoutError:
            view.end = "hang"
        finally:
            writer.close()
        view.took_s = time.monotonic() - began
        return view.read()

    @staticmethod
    async def _piece(reader: asyncio.StreamReader, *, hangs: bool) -> bytes:
        async with asyncio.timeout(QUIET_S if hangs else None):
            return await reader.read(65536)


@asynccontextmanager
async def proxied(
    installed: Installed, upstream: str, faults: dict[str, dict[str, Any]], folder: Path
) -> AsyncIterator[Proxied]:
    """``chaosproxy serve`` of the wheel: one listener for each fault, and a healthy one."""
    listeners: dict[str, Any] = {
        name.replace(".", "-"): {"upstream": upstream, "faults": [{"do": do}]} for name, do in faults.items()
    }
    config = folder / "proxies.yaml"
    config.write_text(json.dumps({"seed": 1, "listeners": {"healthy": {"upstream": upstream}, **listeners}}))
    process = await asyncio.create_subprocess_exec(
        *(installed.command, "serve", "--json", "--config", str(config)),
        stdout=PIPE,
        cwd=installed.folder,
        env=installed.env,
        limit=1024 * 1024,
    )
    assert process.stdout is not None
    following = None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))
        journal = Journal()
        following = asyncio.create_task(journal.follow(process.stdout))
        yield Proxied({name: facts["url"] for name, facts in ready["listeners"].items()}, journal)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if following is not None:
            await following
