"""The upstream's edge: one request, its answer, and every way in which they break, each wait within a deadline.

Deadlines are moments of the loop's clock. All failures are UpstreamFailed, and nothing else is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import TOKEN, Kind, Meaning
from chaosproxy.proxy.certificates import client_context
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.foreign_json import parse
from chaosproxy.wire.sse import read_event

ANSWER_LIMIT_BYTES = 16 * 1024 * 1024
EVENT_LIMIT_BYTES = 1024 * 1024


@contextmanager
def _failures(awaited: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise UpstreamFailed(UpstreamFailed.TIMEOUT, f"no {awaited} in time") from error
    except aiohttp.ClientConnectorError as error:
        raise UpstreamFailed(UpstreamFailed.CONNECT, "could not connect") from error
    except aiohttp.ClientPayloadError as error:
        raise UpstreamFailed(UpstreamFailed.INCOMPLETE, "the answer broke off") from error
    except (aiohttp.ClientConnectionError, OSError) as error:
        raise UpstreamFailed(UpstreamFailed.RESET, "the connection broke") from error
    except aiohttp.ClientError as error:
        raise UpstreamFailed(UpstreamFailed.PROTOCOL, f"not HTTP ({type(error).__name__})") from error


def new_session(connect_s: float, ca: str | None = None) -> aiohttp.ClientSession:
    """A pool without a limit and without a timeout but for the connection: deadlines belong to each exchange.

    ``ca`` is trusted beside the system's authorities. Raises UserError when that file cannot be used.
    """
    trusted = True if ca is None else client_context(ca)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=trusted),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
        skip_auto_headers=("user-agent", "accept", "content-type"),
    )


@asynccontextmanager
async def asked(
    session: aiohttp.ClientSession, method: str, url: str, headers: CIMultiDict[str], body: bytes, *, due: float
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer's head, which must come before ``due``. Leaving early closes the connection: the upstream notices."""
    with _failures("answer"):
        async with asyncio.timeout_at(due):
            response = await session.request(
                method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False
            )
    async with response:
        yield response


async def pieces_of(response: aiohttp.ClientResponse, *, due: float) -> AsyncIterator[bytes]:
    """The body as it comes."""
    while True:
        with _failures("complete answer"):
            async with asyncio.timeout_at(due):
                piece = await response.content.readany()
        if not piece:
            return
        yield piece


async def read_whole(response: aiohttp.ClientResponse, *, due: float) -> bytes:
    """The body of a plain answer."""
    body = bytearray()
    async for piece in pieces_of(response, due=due):
        body += piece
        if len(body) > ANSWER_LIMIT_BYTES:
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, f"an answer of over {ANSWER_LIMIT_BYTES} bytes")
    return bytes(body)


class Event(NamedTuple):
    """One event of a streamed answer."""

    frame: bytes
    meaning: Meaning


class EventStream:
    """Reads the events of a streamed answer. Comments, pings and bytes of an event that never ends are no progress:
    they are handed on, and no deadline moves for them.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        dialect: Dialect,
        *,
        first_due: float,
        between_s: float,
        total_due: float,
    ) -> None:
        self._body = response.content
        self._dialect = dialect
        self._splitter = dialect.splitter()
        self._between_s = between_s
        self._total_due = total_due
        self._due = first_due
        self._awaited = "first content"
        self._kept_alive = False
        self._ready: list[bytes] = []

    async def next(self) -> Event | None:
        """The next event that says something, or a sign of life; None at the clean end of the body.

        Raises UpstreamFailed.
        """
        if self._awaited != "first content" and not self._kept_alive:
            self._due = asyncio.get_running_loop().time() + self._between_s
        while (frame := await self._frame()) is not None:
            event = self._read(frame)
            if event is not None:
                self._kept_alive = event.meaning.kind == Kind.KEEPALIVE
                return event
        return None

    def _read(self, frame: bytes) -> Event | None:
        meaning = self._dialect.read_event(frame)
        if meaning.kind & Kind.ERROR:
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, "an error event")
        if meaning.kind == Kind.KEEPALIVE:
            return Event(frame, meaning)
        data = read_event(frame).data
        if meaning.kind == Kind.OTHER and data and not isinstance(parse(data), dict):
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, "a malformed event")
        if meaning.kind & TOKEN:
            self._awaited = "further event"
        return Event(frame, meaning) if data else None

    async def _frame(self) -> bytes | None:
        while not self._ready:
            with _failures(self._awaited):
                async with asyncio.timeout_at(min(self._due, self._total_due)):
                    data = await self._body.readany()
            if not data:
                return self._splitter.flush() or None
            self._ready = self._splitter.feed(data)
            if self._splitter.pending > EVENT_LIMIT_BYTES:
                raise UpstreamFailed(UpstreamFailed.PROTOCOL, f"an event of over {EVENT_LIMIT_BYTES} bytes")
        return self._ready.pop(0)

    async def drain(self, within_s: float) -> None:
        """Wait for the end of the body after the terminal event, so that the connection can be used again."""
        try:
            async with asyncio.timeout(within_s):
                while await self._body.readany():
                    pass
        except (TimeoutError, aiohttp.ClientError, OSError):
            return
