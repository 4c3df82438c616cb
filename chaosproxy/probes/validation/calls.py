"""The twenty calls: ten plain, ten streamed, over five models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

import aiohttp

from chaosproxy.errors import UpstreamUnusable
from chaosproxy.events import TOKEN, Kind
from chaosproxy.lab.verify.asking import Reply, Wish, ask
from chaosproxy.lab.verify.reading import frames, joined, json_flaws, media_type_flaws
from chaosproxy.wire.dialects import dialect

MODELS = ("gpt-4", "gpt-4-turbo", "gpt-3.5-turbo", "claude-3-opus", "claude-3-sonnet")
CALLS = 20
AT_ONCE = 4
_CHAT = dialect("openai.chat")


@dataclass(frozen=True, slots=True)
class Called:
    """One call: its number from 1, and what was wrong with its answer."""

    number: int
    wish: Wish
    took_s: float
    flaws: tuple[str, ...]

    def __str__(self) -> str:
        kind = "STREAM" if self.wish.stream else "NORMAL"
        end = f": {'; '.join(self.flaws)}" if self.flaws else ""
        verdict = "FAILED" if self.flaws else "OK"
        return f"[{self.number:2}/{CALLS}] {kind} {self.wish.model} {verdict} {self.took_s:.3f}s{end}"


def wishes() -> list[Wish]:
    """What is asked, in turn: each model twice plain and twice streamed."""
    return [Wish("openai.chat", MODELS[number // 2 % len(MODELS)], stream=number % 2 == 1) for number in range(CALLS)]


async def call_all(session: aiohttp.ClientSession, url: str) -> AsyncGenerator[Called, None]:
    """Each call as it ends; a few run at once."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def call(number: int, wish: Wish) -> Called:
        async with turn:
            return await _call(session, url, number, wish)

    tasks = [asyncio.create_task(call(number, wish)) for number, wish in enumerate(wishes(), 1)]
    try:
        for done in asyncio.as_completed(tasks):
            yield await done
    finally:
        for task in tasks:
            task.cancel()


async def _call(session: aiohttp.ClientSession, url: str, number: int, wish: Wish) -> Called:
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        reply = await ask(session, url, wish)
        flaws = tuple(_stream_flaws(reply) if wish.stream else _plain_flaws(reply))
        flaws = flaws if reply.status == 200 else (f"status {reply.status}",)
    except UpstreamUnusable as error:
        flaws = (str(error),)
    return Called(number, wish, clock() - began, flaws)


def _plain_flaws(reply: Reply) -> Iterator[str]:
    """Status, JSON, content, usage."""
    yield from media_type_flaws(reply, "application/json")
    yield from json_flaws(reply.body)
    said = _CHAT.read_answer(reply.body)
    if not said.text:
        yield "no content"
    if not said.output_tokens:
        yield "no usage"


def _stream_flaws(reply: Reply) -> Iterator[str]:
    """Status, chunks, a finish reason and [DONE], usage."""
    yield from media_type_flaws(reply, _CHAT.stream_type)
    meanings = [_CHAT.read_event(frame) for frame in frames(_CHAT, reply.body)]
    said = joined(meanings)
    if said.kind & Kind.ERROR:
        yield "an error event"
    if not any(meaning.kind & TOKEN for meaning in meanings):
        yield "no chunks"
    if said.finish is None or not said.kind & Kind.TERMINAL:
        yield "no complete end"
    if not said.output_tokens:
        yield "no usage"
