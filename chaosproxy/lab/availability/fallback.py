"""The fallback manager: answers a call, from a provider, the next one, or our own copy of the model.

The naive one asks the first provider once, and passes on whatever text it gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from chaosproxy.errors import UpstreamFailed
from chaosproxy.lab.availability.asking import Answer, Asker
from chaosproxy.lab.availability.component import Component
from chaosproxy.lab.availability.downloader import Downloader
from chaosproxy.lab.availability.monitor import Monitor
from chaosproxy.lab.reply import read_asked
from chaosproxy.wire.dialects.base import Dialect

OWN_COPY = "local"
"""The source of an answer that a downloaded model gave."""


class Fallback:
    """Its operations are calls."""

    def __init__(self, asker: Asker, monitor: Monitor, downloader: Downloader, component: Component) -> None:
        self.component = component
        self.fallbacks = 0
        """Calls that another than the first one answered."""
        self._asker = asker
        self._monitor = monitor
        self._downloader = downloader
        self._providers = asker.settings.providers

    async def answer(
        self, dialect: Dialect, model: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Answer, str]:
        """The answer and who gave it. Raises UpstreamFailed when nobody did."""
        with self.component.operation():
            answer, source = await self._answer(dialect, model, path, body, headers)
            self.fallbacks += source != next(iter(self._providers), OWN_COPY)
            return answer, source

    async def _answer(
        self, dialect: Dialect, model: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Answer, str]:
        failure = UpstreamFailed(UpstreamFailed.CONNECT, "there is no provider")
        for pause_s in self._asker.pauses_s():
            await asyncio.sleep(pause_s)
            for name in self._in_order():
                try:
                    answer = await self._asker.ask("POST", f"{self._providers[name]}{path}", body, headers)
                    self._check(dialect, answer)
                except UpstreamFailed as error:
                    failure = error
                else:
                    return answer, name
            if self._asker.resilient and model in self._downloader.local:
                return self._own(dialect, path, body), OWN_COPY
        raise failure

    def _in_order(self) -> Iterator[str]:
        """The naive one knows the first only. Those that are believed to be unhealthy are asked last."""
        if not self._asker.resilient:
            yield from list(self._providers)[:1]
            return
        healthy = self._monitor.healthy
        yield from (name for name in self._providers if healthy[name])
        yield from (name for name in self._providers if not healthy[name])

    def _check(self, dialect: Dialect, answer: Answer) -> None:
        """Raises UpstreamFailed for what no client can use; a mistake of the client's own is passed on."""
        if answer.status >= 500 or answer.status in (408, 429):
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, f"status {answer.status}")
        if not self._asker.resilient:
            return
        if answer.status < 300 and not dialect.read_answer(answer.body).text:
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, "an answer without a text")

    def _own(self, dialect: Dialect, path: str, body: bytes) -> Answer:
        told = read_asked(dialect, body, path).answer(self._asker.settings.tokens)
        return Answer(200, "application/json", dialect.plain_body(told))
