"""All pairs of faults on a real client through the real proxy: brute force against what is left when it is pruned."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import combinations, product

import aiohttp
import pytest

from chaosproxy.faults import build
from chaosproxy.faults.base import Fault
from chaosproxy.plan.flat import parse_flat
from chaosproxy.runner.world import opened
from chaosproxy.search.effect import Slot
from chaosproxy.search.observation import Asked, Call, Run, Setting
from chaosproxy.search.promise import Broken, Promise, default_promise
from chaosproxy.search.systematic import Coverage, Injection, Injections, explore, plan_of

pytestmark = pytest.mark.slow

FAULTS: tuple[Fault, ...] = tuple(
    build(parse_flat(text)["do"])
    for text in (
        "http.rate_limit retry_after=2",
        "http.status status=500",
        "http.status status=503",
        "http.status status=401",
        "stream.truncate where=token:2",
        "stream.truncate where=token:1",
        "stream.fin where=token:2",
        "stream.reset where=token:2",
        "llm.error_event where=token:1",
        "llm.empty",
        "sse.comment",
        "sse.line_end",
        "time.first_token mean=100ms",
        "conn.blackhole",
    )
)
SETTING = Setting(listeners=("primary", "secondary"), tokens=4)
RATE_LIMIT = 0
PATIENCE = {
    "primary": aiohttp.ClientTimeout(total=None, sock_read=20),
    "secondary": aiohttp.ClientTimeout(total=None),
}


class Incomplete(Exception):
    """The answer ended before its end."""


@asynccontextmanager
async def client(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """Asks again after a 429, and another backend after a 500. It has two bugs.

    When it has waited as a Retry-After said, it takes a cut answer for a whole one; and after a fallback it waits for
    ever.
    """
    async with aiohttp.ClientSession() as session:

        async def call(asked: Asked) -> str:
            return await _answer(session, asked)

        yield call


async def _answer(session: aiohttp.ClientSession, asked: Asked) -> str:
    waited, backend = False, "primary"
    for _ in range(3):
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": asked.prompt}]}
        url = f"{asked.urls[backend]}/v1/chat/completions"
        async with session.post(url, json=body, timeout=PATIENCE[backend]) as response:
            if response.status == 429:
                await asyncio.sleep(float(response.headers["retry-after"]))
                waited = True
            elif response.status >= 500 and backend == "primary":
                backend = "secondary"
            else:
                response.raise_for_status()
                return await _text(response, trusting=waited)
    raise Incomplete


async def _text(response: aiohttp.ClientResponse, *, trusting: bool) -> str:
    parts, finished = [], False
    async for line in response.content:
        if line.startswith(b"data: {"):
            chunk = json.loads(line[6:])
            if "error" in chunk:
                raise Incomplete
            for choice in chunk["choices"]:
                parts.append(choice["delta"].get("content") or "")
                finished = finished or choice["finish_reason"] is not None
    if not finished and not trusting:
        raise Incomplete
    return "".join(parts)


def brute_force(run: Run, promise: Promise, slots: tuple[Slot, ...]) -> Iterator[tuple[Injections, Broken | None]]:
    """Every set of up to two faults on different exchanges, in the order in which these can happen."""
    for size in (0, 1, 2):
        for places in combinations(slots, size):
            for faults in product(range(len(FAULTS)), repeat=size):
                injections = tuple(map(Injection, places, faults))
                plan = plan_of(injections, FAULTS)
                yield injections, promise(plan, run(plan))


def test_pruned_finds_what_brute_force_finds() -> None:
    """The same findings, and the same verdict for every pair, in at most 30 % of the runs."""
    promise = default_promise(10)
    with opened(client, SETTING) as run:
        coverage = explore(run, FAULTS, promise, max_faults=2)
        slots = tuple(coverage.slots)
        brute = dict(brute_force(run, promise, slots))

    assert set(slots) == {Slot("primary", 1), Slot("primary", 2), Slot("secondary", 1)}
    assert len(brute) == coverage.brute_runs
    assert coverage.runs <= 0.3 * coverage.brute_runs, f"{coverage.runs} of {coverage.brute_runs}"
    found = {broken.key for broken in brute.values() if broken is not None}
    assert (
        {attempt.broken.key for attempt in coverage.broken() if attempt.broken} == found == {"silent_truncated", "hung"}
    )
    assert [
        injections for injections, broken in brute.items() if _key(coverage.verdict(injections)) != _key(broken)
    ] == []


def test_the_planted_pair_is_found_as_a_pair() -> None:
    """A Retry-After and a truncation, each of which alone is survived."""
    with opened(client, SETTING) as run:
        coverage = explore(run, FAULTS, default_promise(10), max_faults=2)

    pair = next(attempt for attempt in coverage.broken() if attempt.broken and attempt.broken.key == "silent_truncated")
    assert pair.injections[0] == Injection(Slot("primary", 1), RATE_LIMIT)
    assert FAULTS[pair.injections[1].fault].type == "stream.truncate"
    assert pair.injections[1].slot == Slot("primary", 2)
    assert [attempt for attempt in coverage.attempts if len(attempt.injections) == 1 and attempt.broken] == []


def _key(broken: Broken | None) -> str | None:
    return None if broken is None else broken.key


def test_single_faults_try_each_exchange_of_the_passing_call_once() -> None:
    """Every fault of the list, and nothing else."""
    with opened(client, SETTING) as run:
        coverage: Coverage = explore(run, FAULTS, default_promise(10), max_faults=1)

    tried = [attempt.injections for attempt in coverage.attempts]
    assert tried == [(Injection(Slot("primary", 1), number),) for number in range(len(FAULTS))]
    assert all(attempt.met for attempt in coverage.attempts)
