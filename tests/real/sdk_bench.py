"""A healthy upstream that speaks every dialect, behind a proxy with one fault, for tests with official SDKs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.wire.dialects import detect
from chaosproxy.wire.dialects.answers import Answer
from tests.functional.wire_kit import LAST_CHUNK, SSE_HEAD, Bench, Peer, Request, bench, chunk, plain

PIECES = ("Hello", " wörld", " 日本語", " 🎉", " the", " quick", " brown", " fox", " is", " over.")
TEXT = "".join(PIECES)
PACE_S = 0.01
"""Between two events."""
TIMEOUT_S = 0.4
"""Long enough for a healthy answer, short enough for a test that waits for it."""


@dataclass(frozen=True)
class Outcome:
    """What an application saw: the text that it got, the reason that it was told, the error that it caught."""

    text: str
    finish: str | None
    error: str | None


@dataclass(frozen=True)
class Case:
    """A fault and what a client makes of it. ``asked`` counts requests at the proxy, ``paid`` those at the upstream."""

    do: Mapping[str, object]
    error: str | None
    text: str
    asked: int = 1
    paid: int = 1
    finish: str | None = None

    def __str__(self) -> str:
        return "-".join(str(value) for value in self.do.values())


async def speak(request: Request, peer: Peer) -> None:
    """A model that answers in the dialect of the request."""
    method, path, _ = request.line.split(" ")
    dialect = detect(method, path)
    facts = dialect.read_request(request.body, path)
    answer = Answer("1", "m", 1_700_000_000, PIECES, prompt_tokens=3, output_tokens=len(PIECES))
    if facts.stream:
        begin, *frames = dialect.stream_frames(answer)
        await peer.send(SSE_HEAD.replace(b"text/event-stream", dialect.stream_type.encode()) + chunk(begin))
        for frame in frames:  # as a model does, and not all in one packet
            await asyncio.sleep(PACE_S)
            await peer.send(chunk(frame))
        await peer.send(LAST_CHUNK)
    else:
        await peer.send(plain(dialect.plain_body(answer), "200 OK", "Content-Type: application/json"))


@asynccontextmanager
async def broken(do: Mapping[str, object] | None) -> AsyncIterator[Bench]:
    """The bench with one fault, or with none."""
    async with bench(speak, Limits(stop_s=0.1)) as at:
        if do is not None:
            rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do})
            at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        yield at


async def check(case: Case, outcome: Outcome, at: Bench) -> None:
    """Compare what the client saw, and count what it cost."""
    assert (outcome.error, outcome.text) == (case.error, case.text)
    if case.finish is not None:
        assert outcome.finish == case.finish
    await at.journal.until(lambda journal: len(journal.exchanges) >= case.asked)
    assert [len(at.journal.exchanges), len(at.upstream.requests)] == [case.asked, case.paid]


def named(error: BaseException) -> str:
    """The class of an error, with its status where it has one."""
    status = getattr(error, "status_code", None)
    return type(error).__name__ if status is None else f"{type(error).__name__}[{status}]"


def cut(count: int) -> str:
    """The text of the first pieces."""
    return "".join(PIECES[:count])


def without(number: int) -> str:
    """The text with one piece missing, counted from 1."""
    return "".join(piece for index, piece in enumerate(PIECES, 1) if index != number)
