"""What a client of the gateway gets, as values to compare."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from chaosproxy.events import Kind
from chaosproxy.experiment.lab_settings import GatewaySettings
from chaosproxy.lab.gateway import Gateway
from chaosproxy.lab.gateway.cache import Redis
from chaosproxy.wire.dialects.base import Dialect
from tests.functional.scripted_upstream import Script, ScriptedUpstream

PATHS = {
    "openai.chat": "/v1/chat/completions",
    "openai.responses": "/v1/responses",
    "anthropic.messages": "/v1/messages",
}


@dataclass
class Got:
    """One answer. ``ended`` says that the terminal event came, ``broken`` that the body did not end cleanly."""

    status: int
    headers: dict[str, str]
    body: bytes
    text: str
    finish: str | None
    error: bool
    ended: bool
    broken: bool
    took_s: float

    @property
    def whole(self) -> bool:
        return self.status == 200 and self.ended and self.finish is not None and not self.error and not self.broken


async def ask(
    gateway: Gateway, dialect: Dialect, *, stream: bool = True, headers: dict[str, str] | None = None, **more: Any
) -> Got:
    """Ask for an answer and read it to its end, however that comes."""
    body = {"model": "m", "max_tokens": 64, "stream": stream, "messages": [{"role": "user", "content": "cp-abcd-1"}]}
    clock = asyncio.get_running_loop().time
    began = clock()
    received, broken = b"", False
    async with (
        aiohttp.ClientSession() as session,
        session.post(gateway.url + PATHS[dialect.name], json={**body, **more}, headers=headers) as response,
    ):
        try:
            async for piece in response.content.iter_any():
                received += piece
        except aiohttp.ClientError:
            broken = True
    splitter = dialect.splitter()
    meanings = [dialect.read_event(frame) for frame in splitter.feed(received)]
    kinds = Kind.OTHER
    for meaning in meanings:
        kinds |= meaning.kind
    return Got(
        status=response.status,
        headers={key.lower(): value for key, value in response.headers.items()},
        body=received,
        text="".join(meaning.text for meaning in meanings),
        finish=next((meaning.finish for meaning in meanings if meaning.finish), None),
        error=bool(kinds & Kind.ERROR),
        ended=bool(kinds & Kind.TERMINAL),
        broken=broken,
        took_s=clock() - began,
    )


async def page(gateway: Gateway, path: str) -> Any:
    """One of the gateway's own pages."""
    async with aiohttp.ClientSession() as session, session.get(gateway.url + path) as response:
        return json.loads(await response.read())


@dataclass
class Scene:
    """A gateway in front of two scripted upstreams."""

    gateway: Gateway
    primary: ScriptedUpstream
    secondary: ScriptedUpstream


QUICK = {"first_token": 0.4, "between_events": 0.4, "backoff": 0.01, "trial_first_token": 0.4}
"""Deadlines for tests: long enough for a noisy machine, short enough to wait for."""


@asynccontextmanager
async def scene(
    primary: list[Script], secondary: list[Script], *, cache: Redis | None = None, **settings: Any
) -> AsyncIterator[Scene]:
    """Start everything in this loop."""
    async with ScriptedUpstream(primary) as first, ScriptedUpstream(secondary) as second:
        urls = {"primary": first.url, "secondary": second.url}
        given = GatewaySettings.model_validate({"upstreams": urls, **QUICK, **settings})
        async with Gateway(given, cache=cache) as gateway:
            yield Scene(gateway, first, second)
