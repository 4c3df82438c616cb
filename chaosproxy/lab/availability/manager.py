"""The availability manager: which models there are, and whether each can be used now.

    available    a healthy provider serves it        cached   only our own copy does        unavailable   nobody does

The resilient one asks the registry in the background and keeps what it knows; the naive one asks it every time, and
calls whatever is listed there available.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Literal

from chaosproxy.errors import UpstreamFailed
from chaosproxy.lab.availability.asking import Asker
from chaosproxy.lab.availability.component import Component
from chaosproxy.lab.availability.downloader import Downloader
from chaosproxy.lab.availability.monitor import Monitor

Status = Literal["available", "cached", "unavailable"]


class Manager:
    """``listed`` are the models that the registry has named last."""

    def __init__(self, asker: Asker, monitor: Monitor, downloader: Downloader, component: Component) -> None:
        self.component = component
        self.listed = tuple(asker.settings.models)
        self._asker = asker
        self._monitor = monitor
        self._downloader = downloader

    async def run(self) -> None:
        """Ask the registry, for ever."""
        while self._asker.resilient and self._asker.settings.registry is not None:
            with suppress(UpstreamFailed):
                await self._ask_registry()
            await asyncio.sleep(self._asker.settings.look_every)

    async def all(self) -> dict[str, Status]:
        """One operation: every model that is known."""
        with self.component.operation():
            if not self._asker.resilient:
                await self._ask_registry()
            return {model: self.status_of(model) for model in dict.fromkeys((*self.listed, *self._downloader.local))}

    def status_of(self, model: str) -> Status:
        """Of one model."""
        served = model in self.listed
        if served and (not self._asker.resilient or any(self._monitor.healthy.values())):
            return "available"
        return "cached" if model in self._downloader.local else "unavailable"

    async def _ask_registry(self) -> None:
        if (registry := self._asker.settings.registry) is None:
            return
        answer = await self._asker.ask_well("GET", f"{registry}/v1/models")
        try:
            self.listed = tuple(str(card["id"]) for card in json.loads(answer.body)["data"])
        except (ValueError, LookupError, TypeError) as error:
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, "the registry's answer is not a list of models") from error
