"""The lab's backend, asked in every API: plain and streamed, text and tool call, and errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import aiohttp

from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.lab.backend import Backend
from chaosproxy.lab.reply import read_asked
from chaosproxy.lab.verify.asking import Reply, Wish, ask, client
from chaosproxy.lab.verify.reading import documents, error_flaws, plain_flaws, stream_flaws
from chaosproxy.lab.verify.sdks import Sdk, package
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.names import ApiName

TOKENS = 12
STATUSES = (400, 401, 403, 404, 429, 500, 503, 529)
"""The errors that are looked at; each is asked for by a model's name."""
NO_TOOLS = frozenset({"ollama.generate"})
"""APIs in which nobody can offer a tool."""
SETTINGS = BackendSettings(
    tokens=TOKENS, ttft=0.0, inter_token=0.0, should_fail={f"fails-{status}": status for status in STATUSES}
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found wrong with one API, by what was asked for; ``tool`` None: it has none. ``sdk`` None: not there."""

    api: ApiName
    sdk: str | None
    package: str
    plain: list[str] = field(default_factory=list)
    stream: list[str] = field(default_factory=list)
    tool: list[str] | None = field(default_factory=list)
    error: list[str] = field(default_factory=list)

    @property
    def columns(self) -> dict[str, list[str] | None]:
        """What was asked for, and what is wrong with it."""
        return {"plain": self.plain, "stream": self.stream, "tool": self.tool, "error": self.error}

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not any(self.columns.values())


async def verify(apis: Iterable[ApiName], backend: Backend | None = None) -> list[Checked]:
    """Ask a lab backend (one of our own if none is given) for everything, and look at its answers."""
    async with backend or Backend(SETTINGS) as running, client({}, trust_env=False) as session:
        return [await _Trial(session, running.url, api).checked() for api in apis]


class _Trial:
    """The trial of one API."""

    def __init__(self, session: aiohttp.ClientSession, url: str, api: ApiName) -> None:
        self._session = session
        self._url = url
        self._api: ApiName = api
        self._spoken = dialect(api)
        try:
            self._sdk: Sdk | None = Sdk(api)
        except ImportError:
            self._sdk = None

    async def checked(self) -> Checked:
        """Everything that is asked for."""
        tool = None
        if self._api not in NO_TOOLS:
            tool = [*await self._plain(tools=True), *await self._stream(tools=True)]
        return Checked(
            self._api,
            None if self._sdk is None else self._sdk.name,
            package(self._api),
            await self._plain(),
            await self._stream(),
            tool,
            [flaw for status in STATUSES for flaw in await self._error(status)],
        )

    async def _plain(self, *, tools: bool = False) -> list[str]:
        wish = Wish(self._api, "lab", tools=tools)
        reply = await ask(self._session, self._url, wish)
        flaws = list(plain_flaws(self._spoken, reply, _expected(wish)))
        if self._sdk is not None:
            flaws += self._sdk.plain_flaws(reply.body)
        return _once(flaws)

    async def _stream(self, *, tools: bool = False) -> list[str]:
        wish = Wish(self._api, "lab", stream=True, tools=tools)
        reply = await ask(self._session, self._url, wish)
        flaws = list(stream_flaws(self._spoken, reply, _expected(wish)))
        return _once([*flaws, *self._event_flaws(reply)])

    def _event_flaws(self, reply: Reply) -> Iterator[str]:
        if self._sdk is not None:
            for document in documents(self._spoken, reply.body):
                yield from self._sdk.event_flaws(document)

    async def _error(self, status: int) -> list[str]:
        reply = await ask(self._session, self._url, Wish(self._api, f"fails-{status}", stream=True))
        flaws = list(error_flaws(self._spoken, reply, status))
        if self._sdk is not None:
            flaws += (f"status {status}: {flaw}" for flaw in self._sdk.error_flaws(reply.body))
        return _once(flaws)


def _expected(wish: Wish) -> Answer:
    return read_asked(dialect(wish.api), wish.body, wish.path).answer(TOKENS)


def _once(flaws: list[str]) -> list[str]:
    return list(dict.fromkeys(flaws))
