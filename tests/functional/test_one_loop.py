"""The whole chain inside one event loop that somebody else gave: what the fixture and the search stand on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from chaosproxy.experiment.lab_settings import BackendSettings, GatewaySettings
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import Call, ExchangeRecord, FaultHit
from chaosproxy.lab.backend import Backend
from chaosproxy.lab.gateway import Gateway
from chaosproxy.lab.load.job import LoadJob
from chaosproxy.lab.load.sender import run_load
from chaosproxy.lab.text import expected_answer
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy

TOKENS = 8
CUT = Rule.model_validate(
    {"id": "cut", "listeners": ("primary",), "do": {"type": "stream.truncate", "where": "token:3"}}
)


@asynccontextmanager
async def chain(records: list[AnyRecord]) -> AsyncIterator[tuple[Proxy, Gateway]]:
    """Backend, proxy and gateway, each started and stopped in the running loop."""

    def record(entry: Entry) -> None:
        records.append(entry.record)

    async with (
        Backend(BackendSettings(tokens=TOKENS, ttft=0, inter_token=0)) as backend,
        Proxy([ListenerSpec("primary", "127.0.0.1:0", backend.url)], record=record) as proxy,
        Gateway(GatewaySettings(upstreams=proxy.urls)) as gateway,
    ):
        yield proxy, gateway


async def one_call(gateway: Gateway, records: list[AnyRecord]) -> Call:
    """One streamed call of the load, in the same loop."""
    job = LoadJob.model_validate(
        {
            "loads": [{"calls": 1, "arrival": {"rate": "1000/s"}}],
            "entry": gateway.url,
            "seed": 1,
            "nonce": "abcd",
            "warmup_s": 0,
            "lasts_s": 1,
            "origin_mono": monotonic(),
            "answer_tokens": TOKENS,
        }
    )
    await run_load(job, records.append)
    (call,) = [record for record in records if isinstance(record, Call)]
    return call


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts a process or a thread fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("everything has its place in this loop")

    monkeypatch.setattr("subprocess.Popen.__init__", refuse)
    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.usefixtures("no_process")
async def test_one_call_through_everything() -> None:
    """Load, gateway, proxy and backend share a loop: the lab's own text arrives, and nothing is left behind."""
    records: list[AnyRecord] = []
    tasks = asyncio.all_tasks()
    async with chain(records) as (_, gateway):
        call = await one_call(gateway, records)

    assert (call.status, call.error, call.finish, call.terminal) == (200, None, "stop", True)
    assert call.text == call.expected == fingerprint("".join(expected_answer(call.id, TOKENS)))
    assert asyncio.all_tasks() == tasks


@pytest.mark.usefixtures("no_process")
async def test_one_cut_call_through_everything() -> None:
    """The same with a fault: the backend sent all of it, the client got three tokens and the truth about the rest."""
    records: list[AnyRecord] = []
    async with chain(records) as (proxy, gateway):
        proxy.apply([CUT], owner="test", lease_s=60, seed=1)
        call = await one_call(gateway, records)

    (exchange,) = [record for record in records if isinstance(record, ExchangeRecord)]
    assert [record.call for record in records if isinstance(record, FaultHit)] == [call.id]
    assert (exchange.received.tokens, exchange.received.terminal) == (TOKENS, True)
    assert (exchange.sent.tokens, exchange.sent.ended, exchange.sent.terminal) == (3, "end", False)
    assert call.text == fingerprint("".join(expected_answer(call.id, 3)))
    assert call.error is not None
    assert call.error.kind == "event"
