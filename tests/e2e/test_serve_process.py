"""A proxy as a process: its ready line, its signals, its leash."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.control.client import ControlClient
from chaosproxy.journal.reading import read_journal
from chaosproxy.journal.records import Opened
from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.plan.rule import Rule
from tests.functional.wire_kit import SSE_HEAD, Client, Peer, Request, answers, ask, call, plain, upstream

pytestmark = pytest.mark.e2e

_MAIN = """
import asyncio, json, sys
from pathlib import Path
from chaosproxy.control.serve import Service, serve
from chaosproxy.errors import ChaosError
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.listener import ListenerSpec

wanted = json.loads(sys.argv[1])
service = Service(
    [ListenerSpec("a", wanted["listen"], wanted["upstream"])],
    [Rule.model_validate(rule) for rule in wanted["rules"]],
    control="127.0.0.1:0",
    journal=Path(wanted["journal"]),
    stop_file=Path(wanted["stop_file"]) if wanted["stop_file"] else None,
)
loop_factory = None
if wanted["uvloop"]:
    import uvloop
    loop_factory = uvloop.new_event_loop
try:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        print(runner.run(serve(service, leash=wanted["leash"])))
except ChaosError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@asynccontextmanager
async def _process(journal: Path, url: str, **wanted: Any) -> AsyncIterator[Process]:
    defaults = {"listen": ":0", "rules": [], "leash": False, "uvloop": False, "stop_file": ""}
    argument = json.dumps({"upstream": url, "journal": str(journal), **defaults, **wanted})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _MAIN, argument, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _ready(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    ready: dict[str, Any] = json.loads(await process.stdout.readline())
    return ready


@pytest.mark.parametrize("uvloop", [False, True])
async def test_it_says_where_it_is_and_ends_at_sigterm(tmp_path: Path, uvloop: bool) -> None:
    """One JSON line names listeners, upstreams and control; with a stream open SIGTERM ends it."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD)
        await peer.gone.wait()

    journal = tmp_path / "journal.jsonl"
    async with upstream(play) as server_side, _process(journal, server_side.url, uvloop=uvloop) as process:
        ready = await _ready(process)
        assert ready["ready"] is True
        assert ready["listeners"]["a"]["upstream"] == server_side.url
        async with ControlClient(ready["control"]) as control:
            assert (await control.status()).listeners["a"].url == ready["listeners"]["a"]["url"]
        client = await Client.connect(ready["listeners"]["a"]["url"])
        await client.send(ask())
        await client.head()
        process.terminate()
        async with asyncio.timeout(20):
            rest, errors = await process.communicate()
        client.close()

    assert (rest.decode(), errors.decode()) == ("SIGTERM\n", "")
    records = read_journal(journal.read_text().splitlines()).records
    assert isinstance(records[0], Opened)
    assert [record.sent.ended for record in records if isinstance(record, ExchangeRecord)] == ["unfinished"]


async def test_a_leash_ends_it(tmp_path: Path) -> None:
    """When the other end of its stdin is gone, so is the proxy."""
    async with (
        upstream(answers(plain(b"{}"))) as server_side,
        _process(tmp_path / "j", server_side.url, leash=True) as process,
    ):
        await _ready(process)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(20):
            rest, _ = await process.communicate()

    assert rest == b"EOF\n"


async def test_faults_from_the_start_have_no_lease(tmp_path: Path) -> None:
    """They act at once and until the end."""
    rule = {"id": "f", "listeners": ["a"], "do": {"type": "http.status", "status": 503}}
    async with (
        upstream(answers(plain(b"{}"))) as server_side,
        _process(tmp_path / "j", server_side.url, rules=[rule]) as process,
    ):
        ready = await _ready(process)
        assert (await call(ready["listeners"]["a"]["url"], ask())).status == 503
        async with ControlClient(ready["control"]) as control:
            (active,) = (await control.status()).active

    assert (active.owner, active.lease_until) == ("start", None)


async def test_a_busy_port_is_an_error_in_words(tmp_path: Path) -> None:
    """Exit code 5 and one line, never a traceback."""
    async with upstream(answers(plain(b"{}"))) as server_side:
        listen = server_side.url.removeprefix("http://")
        async with _process(tmp_path / "j", "http://127.0.0.1:9", listen=listen) as process:
            _, errors = await process.communicate()

    assert process.returncode == 5
    assert errors.decode() == f"cannot listen on {listen}: address already in use\n"


async def test_a_stop_file(tmp_path: Path) -> None:
    """While it is there from the start, not even the faults of the command line act; a touch ends what acts."""
    stop = tmp_path / "stop"
    stop.touch()
    rules = [{"id": "down", "listeners": ["a"], "do": {"type": "http.status", "status": 503}}]
    wanted = {"rules": rules, "stop_file": str(stop)}
    async with (
        upstream(answers(plain(b"{}"))) as server_side,
        _process(tmp_path / "j", server_side.url, **wanted) as process,
    ):
        ready = await _ready(process)
        url = ready["listeners"]["a"]["url"]
        assert (await call(url, ask())).status == 200
        async with ControlClient(ready["control"]) as control:
            assert (await control.status()).halted == f"the stop file {stop} exists"
            stop.unlink()
            await _until_halted(control, "")
            assert (await call(url, ask())).status == 200
            await control.apply("run", [Rule.model_validate(rules[0])], lease_s=60, seed=1)
            assert (await call(url, ask())).status == 503
            stop.touch()
            await _until_halted(control, f"the stop file {stop} exists")
            assert (await call(url, ask())).status == 200


async def _until_halted(control: ControlClient, words: str) -> None:
    async with asyncio.timeout(20):
        while True:
            if (await control.status()).halted == words:
                return
            await asyncio.sleep(0.05)
