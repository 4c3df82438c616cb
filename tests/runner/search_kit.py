"""Clients to search in: honest, careless, and one whose bug needs two faults at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from chaosproxy.search.observation import Asked, Call

TIMEOUT_S = 10
DEADLINE_S = 40
"""Of a whole call; what takes longer in the world counts as hung after 60 s."""


@asynccontextmanager
async def openai_call(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """A careful application of the async openai SDK, which trusts the end of a stream."""
    async with _client(urls) as client:

        async def call(asked: Asked) -> str:
            text, _ = await _read(client, asked)
            return text

        yield call


@asynccontextmanager
async def honest_call(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """It has a deadline, and an answer without its finish reason is none."""
    async with _client(urls) as client:

        async def call(asked: Asked) -> str:
            return await _whole(client, asked)

        yield call


@asynccontextmanager
async def planted_call(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """Honest, but for one bug: after it has waited as retry-after told it, it takes a cut answer for a whole one."""
    async with _client(urls, max_retries=0) as client:

        async def call(asked: Asked) -> str:
            try:
                return await _whole(client, asked)
            except import_module("openai").RateLimitError as error:
                if "retry-after" not in error.response.headers:
                    raise
                await asyncio.sleep(min(float(error.response.headers["retry-after"]), TIMEOUT_S))
                async with asyncio.timeout(DEADLINE_S):
                    text, _ = await _read(client, asked)
                if not text:
                    raise Cut from None
                return text

        yield call


class Cut(Exception):
    """The answer has no end."""


async def _whole(client: Any, asked: Asked) -> str:
    async with asyncio.timeout(DEADLINE_S):
        text, finish = await _read(client, asked)
    if finish is None:
        raise Cut
    return text


async def _read(client: Any, asked: Asked) -> tuple[str, str | None]:
    """Text and finish reason of one streamed answer."""
    question = [{"role": "user", "content": asked.prompt}]
    text, finish = "", None
    async with await client.chat.completions.create(model=asked.model, messages=question, stream=True) as stream:
        async for chunk in stream:
            for choice in chunk.choices or ():
                if getattr(choice.delta, "refusal", None):
                    raise Cut
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
    return text, finish


def _client(urls: Mapping[str, str], **options: Any) -> Any:
    openai = import_module("openai")
    return openai.AsyncOpenAI(base_url=f"{urls['primary']}/v1", api_key="none", timeout=TIMEOUT_S, **options)
