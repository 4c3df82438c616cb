"""A fault ends in the proxy itself when nobody renews its lease: whoever applied it may be gone, or stand still."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from chaosproxy.control.client import ControlClient
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.journal.records import FaultEdge
from chaosproxy.lab.backend import Backend
from chaosproxy.plan.rule import Rule

pytestmark = pytest.mark.e2e

LEASE_S = 1.0
RULE = Rule.model_validate({"id": "down", "listeners": ["main"], "do": {"type": "http.status", "status": 503}})
OWNER = """
import asyncio, sys
from chaosproxy.control.client import ControlClient
from chaosproxy.plan.rule import Rule

async def main(url, rule, lease_s):
    async with ControlClient(url) as control:
        await control.apply("owner", [Rule.model_validate_json(rule)], lease_s=lease_s, seed=1)
        while True:
            await asyncio.sleep(lease_s / 3)
            await control.renew("owner", lease_s=lease_s)
            print("renewed", flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
"""


@asynccontextmanager
async def ended_afterwards(*command: str) -> AsyncIterator[Process]:
    """A Python process of this environment."""
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[ControlClient, str]]:
    """``chaosproxy serve`` in front of a lab backend: how to drive it, and where clients find it."""
    async with Backend(BackendSettings(tokens=3, ttft=0.0)) as backend:
        words = ["-m", "chaosproxy", "serve", "--listen", "127.0.0.1:0", "--upstream", backend.url]
        async with ended_afterwards(*words, "--control", "127.0.0.1:0") as process:
            assert process.stdout is not None
            ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
            async with ControlClient(ready["control"]) as control:
                yield control, ready["listeners"]["main"]["url"]


async def status_of(url: str) -> int:
    """What a client is answered with."""
    question = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/chat/completions", json=question) as answer:
        return answer.status


async def healed(control: ControlClient) -> list[FaultEdge]:
    """All edges of the fault up to its end, as the proxy journals them."""
    edges = []
    async with asyncio.timeout(20):
        async for record in control.events():
            if isinstance(record, FaultEdge):
                edges.append(record)
                if record.edge == "healed":
                    break
    return edges


async def test_a_lease_that_nobody_renews() -> None:
    """The fault ends after its lease, not before, the journal says why, and clients are answered again."""
    async with serving() as (control, url):
        await control.apply("somebody", [RULE], lease_s=LEASE_S, seed=1)
        assert await status_of(url) == 503

        applied, end = await healed(control)

        assert (applied.edge, end.edge, end.why) == ("applied", "healed", "lease")
        assert LEASE_S <= end.at - applied.at < LEASE_S + 1
        assert await control.active("somebody") == []
        assert await status_of(url) == 200


async def test_an_owner_that_stands_still() -> None:
    """Renewals keep a fault alive beyond its first lease; when its owner is stopped, it ends like any other."""
    async with (
        serving() as (control, url),
        ended_afterwards("-c", OWNER, control._url, RULE.model_dump_json(), str(LEASE_S)) as owner,
    ):
        assert owner.stdout is not None
        for _ in range(5):
            assert await asyncio.wait_for(owner.stdout.readline(), 20) == b"renewed\n"
        assert await control.active("owner") == ["down"]
        assert await status_of(url) == 503
        owner.send_signal(signal.SIGSTOP)

        applied, end = await healed(control)

        assert end.why == "lease"
        assert end.at - applied.at > 2 * LEASE_S
        assert await status_of(url) == 200
