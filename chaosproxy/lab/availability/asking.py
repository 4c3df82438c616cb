"""One question to somebody else, which ends in time: with an answer, or with UpstreamFailed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict

from chaosproxy.errors import UpstreamFailed
from chaosproxy.experiment.availability_settings import AvailabilitySettings
from chaosproxy.lab.gateway.exchange import asked, pieces_of, read_whole


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    body: bytes


class Asker:
    """Asks within the deadline of the profile."""

    def __init__(self, session: aiohttp.ClientSession, settings: AvailabilitySettings) -> None:
        self.settings = settings
        self.resilient = settings.profile == "resilient"
        self.deadline_s = settings.deadline if self.resilient else settings.naive_deadline
        self._session = session

    async def ask(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """A whole answer of any status. Raises UpstreamFailed."""
        due = asyncio.get_running_loop().time() + self.deadline_s
        async with asked(self._session, method, url, _fields(headers), body, due=due) as response:
            return Answer(response.status, response.content_type, await read_whole(response, due=due))

    async def ask_well(self, method: str, url: str, body: bytes = b"") -> Answer:
        """An answer below 400; any other raises UpstreamFailed, too."""
        answer = await self.ask(method, url, body, {"content-type": "application/json"} if body else None)
        if answer.status >= 400:
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, f"status {answer.status}")
        return answer

    @asynccontextmanager
    async def open(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """The head of a long answer; see ``pieces``."""
        due = asyncio.get_running_loop().time() + self.deadline_s
        async with asked(self._session, "GET", url, _fields(headers), b"", due=due) as response:
            yield response

    async def pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Its body; the deadline is for each silence, not for the whole."""
        clock = asyncio.get_running_loop().time
        while True:
            piece = b""
            async for piece in pieces_of(response, due=clock() + self.deadline_s):  # noqa: B007 - the first one only
                break
            if not piece:
                return
            yield piece

    def pauses_s(self) -> Iterator[float]:
        """How long to wait before each attempt: 0 before the first; the naive system makes no other."""
        yield 0.0
        wait_s = self.settings.backoff
        for _ in range(self.settings.retries if self.resilient else 0):
            yield min(wait_s, self.settings.backoff_max)
            wait_s *= 2


def _fields(headers: Mapping[str, str] | None) -> CIMultiDict[str]:
    return CIMultiDict({"accept-encoding": "identity", **(headers or {})})
