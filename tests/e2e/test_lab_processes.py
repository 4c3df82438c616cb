"""The lab's parts as processes: ready line, SIGTERM, leash, and the load's conversation."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from time import monotonic
from typing import Any

import pytest

from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.journal.records import AnyRecord, Opened, from_line
from chaosproxy.journal.traffic import Call
from chaosproxy.lab.backend import Backend

pytestmark = pytest.mark.e2e


async def _start(module: str, *args: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *args, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )


async def _ready(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    facts = json.loads(await process.stdout.readline())
    assert facts["ready"] is True
    return dict(facts)


async def _say(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
    await process.stdin.drain()


def _close(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()


async def _records(process: Process) -> list[AnyRecord]:
    assert process.stdout is not None
    return [from_line(line.decode()) async for line in process.stdout]


def _job(entry: str, **load: Any) -> str:
    job = {
        "loads": [{"arrival": {"rate": "50/s"}, "request": {"timeout": "30s"}, **load}],
        "entry": entry,
        "seed": 1,
        "nonce": "abcd",
        "warmup_s": 0,
        "lasts_s": 60,
        "origin_mono": monotonic(),
        "answer_tokens": 3,
    }
    return json.dumps(job)


async def _asked(backend: Backend) -> None:
    while backend.stats["requests"] == 0:  # noqa: ASYNC110 - what the backend counts is told by no event
        await asyncio.sleep(0.01)


async def test_backend_says_where_it_listens_and_ends_at_sigterm() -> None:
    """One JSON line, then service, then a quiet end with 0."""
    process = await _start("chaosproxy.lab.backend", "--settings", '{"tokens": 3}')
    ready = await _ready(process)
    host, port = ready["url"].removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    process.send_signal(signal.SIGTERM)

    assert await process.wait() == 0


async def test_leash_ends_a_backend() -> None:
    """EOF on stdin: nothing outlives the one who started it."""
    process = await _start("chaosproxy.lab.backend", "--leash")
    await _ready(process)
    _close(process)

    assert await process.wait() == 0


@pytest.mark.parametrize(
    ("args", "words"), [(["--settings", '{"tokenz": 3}'], b"tokenz"), (["--listen", "nowhere"], b"nowhere")]
)
async def test_wrong_arguments_are_said(args: list[str], words: bytes) -> None:
    """Exit code 2 and the reason, never a traceback."""
    process = await _start("chaosproxy.lab.backend", *args)
    _, messages = await process.communicate()

    assert process.returncode == 2
    assert words in messages
    assert b"Traceback" not in messages


async def test_taken_port_ends_with_5() -> None:
    """A busy port is an error of the run."""
    async with Backend() as first:
        process = await _start("chaosproxy.lab.backend", "--listen", first.url.removeprefix("http://"))
        _, messages = await process.communicate()

    assert (process.returncode, b"cannot listen" in messages) == (5, True)


async def test_load_reports_and_ends() -> None:
    """Ready, a job in, opened and the calls out, and 0 when the last call has ended."""
    async with Backend(BackendSettings(tokens=3, ttft=0.0)) as backend:
        process = await _start("chaosproxy.lab.load")
        await _ready(process)
        await _say(process, _job(backend.url, calls=5))
        records = await _records(process)

    assert await process.wait() == 0
    assert isinstance(records[0], Opened)
    assert [record.error for record in records if isinstance(record, Call)] == [None] * 5


async def test_load_that_is_told_to_stop_ends_its_calls_first() -> None:
    """``stop``: nothing new, and every call that was sent is reported."""
    async with Backend(BackendSettings(tokens=3, ttft=0.3)) as backend:
        process = await _start("chaosproxy.lab.load")
        await _ready(process)
        await _say(process, _job(backend.url))
        await _asked(backend)
        await _say(process, "stop")
        records = await _records(process)
        sent = backend.stats["requests"]

    assert await process.wait() == 0
    assert sum(isinstance(record, Call) for record in records) == sent


@pytest.mark.parametrize(("how", "status"), [("eof", 0), ("sigterm", 5)])
async def test_load_ends_at_once_when_its_runner_is_gone(how: str, status: int) -> None:
    """Calls under way are dropped, and what was recorded until then has left. Whoever else ends it is no good end:
    a load that sent less than it should must not pass for one that had no more to send.
    """
    async with Backend(BackendSettings(tokens=3, ttft=60.0)) as backend:
        process = await _start("chaosproxy.lab.load")
        await _ready(process)
        await _say(process, _job(backend.url))
        await _asked(backend)
        if how == "eof":
            _close(process)
        else:
            process.send_signal(signal.SIGTERM)
        records = await _records(process)

    assert await process.wait() == status
    assert isinstance(records[0], Opened)


@pytest.mark.parametrize("job", ["{}", "not json"])
async def test_wrong_job_is_said(job: str) -> None:
    """Exit code 2 and the reason."""
    process = await _start("chaosproxy.lab.load")
    await _ready(process)
    _, messages = await process.communicate(f"{job}\n".encode())

    assert process.returncode == 2
    assert b"job on stdin" in messages
    assert b"Traceback" not in messages


async def test_load_without_a_job_ends() -> None:
    """EOF before the job is an end like any other."""
    process = await _start("chaosproxy.lab.load")
    await _ready(process)
    _close(process)

    assert await process.wait() == 0
