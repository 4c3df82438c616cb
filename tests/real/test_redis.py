"""A real Redis server behind a listener of ours, and a real client: slowed and cut, it fails, and it recovers."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.journal.traffic import ConnectionRecord, FaultHit
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.e2e.drill import chaosproxy, drill, free_port, repeat_inconclusive
from tests.functional.wire_kit import Journal

redis = pytest.importorskip("redis", reason="the client library redis is not installed")
SERVER = shutil.which("redis-server")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(SERVER is None, reason="there is no redis-server here (Debian: apt install redis-server)"),
]
PATIENCE_S = 0.4
QUIET = ("--save", "", "--appendonly", "no", "--daemonize", "no", "--bind", "127.0.0.1")


@asynccontextmanager
async def redis_server() -> AsyncIterator[int]:
    """A server of its own; its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        str(SERVER), "--port", str(port), *QUIET, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(10):
            while b"Ready to accept connections" not in (line := await process.stdout.readline()):
                assert line, "redis-server ended before it was ready"
        yield port
    finally:
        process.terminate()
        await process.communicate()


@dataclass
class Bench:
    """A client of the real library, the proxy that it goes through, and the journal."""

    proxy: Proxy
    journal: Journal
    client: Any

    def break_it(self, do: Mapping[str, object]) -> None:
        rule = Rule.model_validate({"id": "f", "listeners": ["redis"], "do": do})
        self.proxy.apply([rule], owner="test", lease_s=60, seed=1)

    def heal(self) -> None:
        self.proxy.clear("test")

    @property
    def hits(self) -> list[FaultHit]:
        return [record for record in self.journal.records if isinstance(record, FaultHit)]

    @property
    def connections(self) -> list[ConnectionRecord]:
        return [record for record in self.journal.records if isinstance(record, ConnectionRecord)]


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """Server, proxy and client."""
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    journal = Journal()
    async with redis_server() as port:
        spec = ListenerSpec("redis", "127.0.0.1:0", f"tcp://127.0.0.1:{port}")
        async with Proxy([spec], record=journal.add, limits=Limits(stop_s=0.1)) as proxy:
            host, _, listens_at = proxy.urls["redis"].removeprefix("tcp://").partition(":")
            client = redis.asyncio.Redis(
                host=host,
                port=int(listens_at),
                socket_timeout=PATIENCE_S,
                socket_connect_timeout=PATIENCE_S,
                retry=Retry(NoBackoff(), 0),
                decode_responses=True,
            )
            try:
                await client.set("key", "value")
                yield Bench(proxy, journal, client)
            finally:
                await client.aclose()


async def test_a_slow_redis_is_slow_and_correct() -> None:
    """Each answer comes later, and is the right one."""
    async with bench() as at:
        at.break_it({"type": "toxic.latency", "latency": 0.1})
        began = asyncio.get_running_loop().time()
        assert await at.client.get("key") == "value"
        assert asyncio.get_running_loop().time() - began >= 0.1
        at.heal()
        assert await at.client.get("key") == "value"

    assert at.hits[0].exchange is None
    assert sum(connection.downstream_bytes for connection in at.connections) > 0


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ({"type": "toxic.reset_peer"}, "ConnectionError"),
        ({"type": "toxic.timeout"}, "TimeoutError"),
        ({"type": "toxic.timeout", "timeout": 0.1}, "ConnectionError"),
        ({"type": "toxic.limit_data", "bytes": 2}, "ConnectionError"),
        ({"type": "toxic.down"}, "ConnectionError"),
        ({"type": "toxic.latency", "latency": 30}, "TimeoutError"),
        ({"type": "partition"}, "TimeoutError"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
async def test_a_cut_redis_fails_and_its_client_recovers(do: Mapping[str, object], error: str) -> None:
    """With the error that the library has for it; healed, the same client works again."""
    async with bench() as at:
        at.break_it(do)
        with pytest.raises(redis.exceptions.RedisError) as failure:
            await at.client.get("key")
        at.heal()
        assert await at.client.get("key") == "value"

    assert type(failure.value).__name__ == error
    assert do["type"] == "toxic.down" or at.hits


def experiment(patience_s: float) -> str:
    """A system that asks Redis before each answer, and a Redis that falls silent."""
    app = Path(__file__).with_name("redis_app.py")
    sections: dict[str, Any] = {
        "experiment": "v1",
        "name": "silent-redis",
        "systems": {
            "models": {"lab": "backend", "tokens": 6, "ttft": "10ms", "inter_token": "2ms"},
            "redis": {"command": [str(SERVER), "--port", "${port}", *QUIET]},
            "app": {
                "command": [sys.executable, str(app), "${port}"],
                "env": {"REDIS": "${listener.redis}", "MODELS": "${listener.models}", "PATIENCE": str(patience_s)},
            },
        },
        "topology": {
            "entry": "app",
            "backends": {"models": {"upstream": "models"}, "redis": {"upstream": "tcp://redis"}},
        },
        "load": {"arrival": {"rate": "10/s", "process": "constant"}, "request": {"timeout": "1s"}},
        "timeline": {"warmup": "500ms", "lasts": "4s"},
        "faults": [{"id": "silent", "target": "redis", "at": "1s", "lasts": "1500ms", "do": {"type": "toxic.timeout"}}],
        "hypothesis": ["success >= 95%"],
    }
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in sections.items())


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize(("patience_s", "verdict"), [(0.2, "held"), (0.0, "deviated")])
def test_an_experiment_tells_who_depends_on_redis(patience_s: float, verdict: str, tmp_path: Path) -> None:
    """A system with patience goes on without its cache; one without hangs with it."""
    ended = repeat_inconclusive(lambda: drill(tmp_path, experiment(patience_s)))

    assert ended.report.verdict == verdict, ended.err + ended.sentences
    assert ended.report.faults[0].hits > 0
    connections = ended.all(ConnectionRecord)
    assert sum(connection.downstream_bytes for connection in connections) > 0
    assert {connection.listener for connection in connections} == {"redis"}
    again = chaosproxy("check", str(ended.results / "journal.jsonl"), "drill.yaml", cwd=tmp_path)
    assert again.out == (ended.results / "report.json").read_text("utf-8")
