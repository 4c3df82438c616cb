"""A delay is never shorter than it was asked for, on any event loop; how much longer is the benchmark's to say."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import pytest
import uvloop

from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.rule import Rule
from tests.functional.wire_kit import LAST_CHUNK, SSE_HEAD, Client, Peer, Request, ask, bench, chunk, event

TOKENS = 5
CALLS = 10
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def least_delays_s(fault: str, delay_s: float) -> list[float]:
    """How much later than the first token was sent each token may arrive at the earliest."""
    match fault:
        case "time.inter_token":
            return [number * delay_s for number in range(TOKENS)]
        case "time.stall":
            return [0.0, 0.0] + [delay_s] * (TOKENS - 2)
        case _:
            return [delay_s] * TOKENS


async def one_call(url: str, at_earliest: list[float]) -> list[float]:
    """By how much each token came later than it had to: from before the first one's write until after its own read."""
    client = await Client.connect(url)
    await client.send(ask())
    await client.head()
    got = [(await client.chunk(), time.monotonic()) for _ in range(TOKENS)]
    client.close()
    first_sent_s = float(json.loads(got[0][0].removeprefix(b"data: "))["choices"][0]["delta"]["content"])
    return [got_s - first_sent_s - least_s for (_, got_s), least_s in zip(got, at_earliest, strict=True)]


async def play(request: Request, peer: Peer) -> None:
    """Tokens that tell when they were sent."""
    await peer.send(SSE_HEAD)
    for _ in range(TOKENS):
        await peer.send(chunk(event(repr(time.monotonic()))))
    await peer.send(LAST_CHUNK)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("delay_s", [0.0013, 0.005])
@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("time.first_token", {"mean": "{delay}"}),
        ("time.inter_token", {"mean": "{delay}"}),
        ("time.stall", {"hold": "{delay}", "where": "token:2"}),
    ],
)
def test_no_token_comes_early(loop: str, delay_s: float, fault: str, settings: dict[str, str]) -> None:
    """On one clock for the upstream, the proxy and the client."""
    delay = f"{delay_s * 1000:g}ms"
    do = {"type": fault} | {name: value.format(delay=delay) for name, value in settings.items()}
    rule = Rule.model_validate({"id": "late", "listeners": ("a",), "do": do})

    async def main() -> float:
        async with bench(play) as at:
            at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
            margins_s = [await one_call(at.url, least_delays_s(fault, delay_s)) for _ in range(CALLS)]
            await at.journal.exchange(CALLS)
            assert sum(isinstance(record, FaultHit) for record in at.journal.records) == CALLS
            return min(map(min, margins_s))

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        assert runner.run(main()) >= 0
