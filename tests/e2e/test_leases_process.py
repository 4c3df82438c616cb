"""A fault ends in the proxy itself when nobody renews its lease: whoever applied it may be gone, or stand still."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chaosproxy.control.client import ControlClient
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.experiment.safety import Safety
from chaosproxy.journal.records import AnyRecord, FaultEdge
from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.lab.backend import Backend
from chaosproxy.plan.rule import Rule
from tests.e2e.drill import free_port

pytestmark = pytest.mark.e2e

LEASE_S = 1.0
RULE = Rule.model_validate({"id": "down", "listeners": ["main"], "do": {"type": "http.status", "status": 503}})
PARTITION = Rule.model_validate({"id": "apart", "listeners": ["ops"], "do": {"type": "partition", "mode": "blackhole"}})
DEFAULT_LEASE_S = Safety().lease
RENEWED_S = 1.0
"""A renewal that was on its way when its owner was lost may have arrived so much later."""
RENEWALS = 5
OWNER = """
import asyncio, json, sys
from chaosproxy.control.client import ControlClient
from chaosproxy.plan.rule import Rule

async def main(url, rules, lease_s):
    async with ControlClient(url) as control:
        rules = [Rule.model_validate(rule) for rule in json.loads(rules)]
        await control.apply("owner", rules, lease_s=lease_s, seed=1)
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


async def facts_of(process: Process) -> dict[str, Any]:
    """Its ready line."""
    assert process.stdout is not None
    facts: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    return facts


@asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[tuple[ControlClient, dict[str, Any]]]:
    """``chaosproxy serve`` before a lab backend, and as ``ops`` before its own control API: a client, and its facts."""
    async with Backend(BackendSettings(tokens=3, ttft=0.0)) as backend:
        control_at, config = f"127.0.0.1:{free_port()}", tmp_path / "proxies.json"
        upstreams = {"main": backend.url, "ops": f"tcp://{control_at}"}
        listeners = {name: {"listen": "127.0.0.1:0", "upstream": upstream} for name, upstream in upstreams.items()}
        config.write_text(json.dumps({"listeners": listeners}))
        words = ["-m", "chaosproxy", "serve", "--config", str(config), "--control", control_at]
        async with ended_afterwards(*words) as process:
            ready = await facts_of(process)
            async with ControlClient(ready["control"]) as control:
                yield control, ready


async def until_answered(control: ControlClient) -> list[AnyRecord]:
    """All records up to the first exchange that no fault met after one had."""
    records: list[AnyRecord] = []
    async with asyncio.timeout(60):
        async for record in control.events():
            records.append(record)
            healed = any(isinstance(each, FaultEdge) and each.edge == "healed" for each in records)
            if isinstance(record, ExchangeRecord) and healed and not record.attached:
                break
    return records


async def lose(owner: Process, loss: signal.Signals | None, control: ControlClient) -> float:
    """Lose an owner after some renewals, or (None) wait until it has cut itself off; when that was."""
    if loss is None:
        async for record in control.events():
            if isinstance(record, FaultEdge):
                return record.at
    assert owner.stdout is not None
    assert loss is not None
    for _ in range(RENEWALS):
        assert await asyncio.wait_for(owner.stdout.readline(), 20) == b"renewed\n"
    owner.send_signal(loss)
    return time.monotonic()


async def ask_again_and_again(url: str) -> None:
    """A client who does not give up."""
    while True:
        await status_of(url)
        await asyncio.sleep(0.05)


async def status_of(url: str) -> int:
    """What a client is answered with."""
    question = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/chat/completions", json=question) as answer:
        return answer.status


async def until_healed(control: ControlClient, faults: int = 1) -> list[AnyRecord]:
    """All records up to the end of so many faults."""
    records: list[AnyRecord] = []
    async with asyncio.timeout(60):
        async for record in control.events():
            records.append(record)
            faults -= isinstance(record, FaultEdge) and record.edge == "healed"
            if faults == 0:
                break
    return records


def met_by(record: ExchangeRecord, begin: float, end: float) -> str:
    """When an exchange was decided about: ``before`` a fault began, while it was ``at work``, or ``after`` its end."""
    since, until = record.began_at, record.asked_at or record.sent.end_at or record.began_at
    times = {"before": until < begin, "at work": begin <= since and until < end, "after": end <= since}
    return next((name for name, is_it in times.items() if is_it), "nobody knows")


async def test_a_lease_that_nobody_renews(tmp_path: Path) -> None:
    """The fault ends after its lease, not before, the journal says why, and clients are answered again."""
    async with serving(tmp_path) as (control, ready):
        url = ready["listeners"]["main"]["url"]
        await control.apply("somebody", [RULE], lease_s=LEASE_S, seed=1)
        assert await status_of(url) == 503

        applied, end = [record for record in await until_healed(control) if isinstance(record, FaultEdge)]

        assert (applied.edge, end.edge, end.why) == ("applied", "healed", "lease")
        assert LEASE_S <= end.at - applied.at < LEASE_S + 1
        assert await control.active("somebody") == []
        assert await status_of(url) == 200


@pytest.mark.slow
@pytest.mark.parametrize("loss", [signal.SIGKILL, signal.SIGSTOP, None], ids=["killed", "stopped", "cut off by itself"])
async def test_an_owner_that_is_lost(tmp_path: Path, loss: signal.Signals | None) -> None:
    """Renewals keep its faults alive; without it they end with the default lease, the one that cuts it off as well.

    By the journal: each exchange before that end was hit, and none after it.
    """
    async with serving(tmp_path) as (control, ready):
        clients = asyncio.create_task(ask_again_and_again(ready["listeners"]["main"]["url"]))
        through = ready["listeners"]["ops"]["url"].replace("tcp://", "http://") if loss is None else ready["control"]
        rules = [RULE] if loss is not None else [RULE, PARTITION]
        async with ended_afterwards(
            "-c", OWNER, through, json.dumps([rule.model_dump(mode="json") for rule in rules]), str(DEFAULT_LEASE_S)
        ) as owner:
            lost_at = await lose(owner, loss, control)
            await until_healed(control, len(rules))
        records = await until_answered(control)
        clients.cancel()

    edges = [record for record in records if isinstance(record, FaultEdge)]
    asked = [record for record in records if isinstance(record, ExchangeRecord)]
    begin, (end,) = edges[0].at, {edge.at for edge in edges if edge.edge == "healed"}
    assert {edge.why for edge in edges if edge.edge == "healed"} == {"lease"}
    assert end <= lost_at + DEFAULT_LEASE_S + RENEWED_S
    met = {(met_by(record, begin, end), bool(record.attached)) for record in asked}
    assert {each for each in met if each[0] in ("at work", "after")} == {("at work", True), ("after", False)}


@pytest.mark.slow
async def test_a_proxy_that_is_started_anew() -> None:
    """After a ``kill -9`` of the proxy itself no fault is active at its ports, whatever was; nobody has to clear."""
    async with Backend(BackendSettings(tokens=3, ttft=0.0)) as backend:
        port = free_port()
        words = ["-m", "chaosproxy", "serve", "--listen", f"127.0.0.1:{port}", "--upstream", backend.url]
        async with ended_afterwards(*words, "--control", "127.0.0.1:0") as process:
            async with ControlClient((await facts_of(process))["control"]) as control:
                await control.apply("somebody", [RULE], lease_s=60, seed=1)
            assert await status_of(f"http://127.0.0.1:{port}") == 503
            process.kill()
            await process.wait()
        async with ended_afterwards(*words, "--control", "127.0.0.1:0") as process:
            async with ControlClient((await facts_of(process))["control"]) as control:
                assert (await control.status()).active == ()
            assert await status_of(f"http://127.0.0.1:{port}") == 200
