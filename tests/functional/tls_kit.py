"""Certificates for tests, and a TLS client that sees how a connection ends below and above the records."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from chaosproxy.journal.records import Trouble
from chaosproxy.lab.authority import issue, write
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.certificates import KeyPair
from chaosproxy.proxy.limits import Limits
from tests.functional.wire_kit import Bench, Script, bench

HOST = "api.example.com"


@dataclass(frozen=True)
class Files:
    """Where the papers of a throw-away authority are."""

    folder: Path

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    @property
    def pair(self) -> KeyPair:
        return KeyPair(str(self.folder / "cert.pem"), str(self.folder / "key.pem"))

    def trusting(self) -> ssl.SSLContext:
        """A client that trusts it, and nobody else."""
        return ssl.create_default_context(cafile=self.ca)


@cache
def papers(began_before: timedelta = timedelta(0)) -> Files:
    """For HOST and loopback, an hour long."""
    folder = Path(mkdtemp(prefix="chaosproxy-papers-"))
    write(issue([HOST], now=datetime.now(UTC) - began_before, lasts=timedelta(hours=1)), folder)
    return Files(folder)


class TlsClient:
    """Makes its records itself. After ``read_all`` ``ended`` is notified (close_notify), fin or reset."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        self._reader = reader
        self.writer = writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.ended = ""

    @classmethod
    async def connect(cls, url: str, context: ssl.SSLContext | None = None) -> TlsClient:
        """With its handshake done."""
        host, _, port = url.removeprefix("https://").partition(":")
        client = cls(*await asyncio.open_connection(host, int(port)), context or papers().trusting())
        try:
            await client._shake_hands()
        except BaseException:
            client.close()
            raise
        return client

    async def _shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not (data := await self._reader.read(65536)):
                    raise ConnectionAbortedError("FIN in the handshake") from None
                self._incoming.write(data)
            except ssl.SSLError:
                await self._flush()  # the alert
                raise
            else:
                await self._flush()
                return

    async def send(self, data: bytes) -> None:
        self.tls.write(data)
        await self._flush()

    async def say_goodbye(self) -> None:
        """A close_notify, and no FIN."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        await self._flush()

    async def read_some(self) -> bytes:
        """The next piece; empty at the end, whose kind ``ended`` says then."""
        while True:
            try:
                data = self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                try:
                    records = await self._reader.read(1 << 16)
                except ConnectionResetError:
                    self.ended = "reset"
                    return b""
                if not records:
                    self.ended = "fin"
                    return b""
                self._incoming.write(records)
            except ssl.SSLZeroReturnError:
                self.ended = "notified"
                return b""
            else:
                if not data:
                    self.ended = "notified"
                return data

    async def read_until(self, end: bytes) -> bytes:
        got = b""
        while end not in got:
            piece = await self.read_some()
            assert piece, f"{self.ended} after {got!r}"
            got += piece
        return got

    async def read_all(self) -> bytes:
        pieces = []
        while piece := await self.read_some():
            pieces.append(piece)
        return b"".join(pieces)

    async def fin_follows(self) -> bool:
        """Whether the TCP connection ends, too."""
        return await self._reader.read(1) == b""

    def close(self) -> None:
        self.writer.close()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self.writer.write(self._outgoing.read())
            await self.writer.drain()


def apply(at: Bench, do: dict[str, object], **common: object) -> None:
    """One fault at the bench's listener, for a minute."""
    rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do, **common})
    at.proxy.apply([rule], owner="test", lease_s=60, seed=1)


def refusals(at: Bench) -> str:
    """What the journal says about those that the proxy itself turned away."""
    return "; ".join(record.detail for record in at.journal.records if isinstance(record, Trouble))


@asynccontextmanager
async def secured(script: Script, limits: Limits | None = None) -> AsyncIterator[Bench]:
    """A bench with TLS; what the event loop would print as a traceback fails the test."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with bench(script, limits or Limits(stop_s=0.2), tls=papers().pair) as at:
        yield at
    assert complaints == []
