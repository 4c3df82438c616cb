"""``chaosproxy serve`` as a process, between a client and a lab backend."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.journal.records import from_line
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
from chaosproxy.lab.backend import Backend

pytestmark = pytest.mark.e2e

QUESTION = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


@asynccontextmanager
async def serving(*words: str, env: dict[str, str] | None = None) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    """The process and its ready line; it is ended afterwards if it has not ended by itself."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chaosproxy", "serve", *words),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, **(env or {})},
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ask(url: str) -> str:
    """The body of a streamed answer."""
    async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/chat/completions", json=QUESTION) as answer:
        return await answer.text()


async def ended(*words: str) -> tuple[int | None, str]:
    """Exit code and standard error of a command that ends by itself."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "chaosproxy", *words, stdout=PIPE, stderr=PIPE)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, err.decode()


async def test_the_one_liner() -> None:
    """Ready line, a cut answer, the journal on stdout, and an end within 2 s of SIGTERM."""
    async with (
        Backend(BackendSettings(tokens=12, inter_token=0)) as backend,
        serving("--listen", "127.0.0.1:0", "--upstream", backend.url, "--fault", "stream.truncate where=token:5") as (
            process,
            ready,
        ),
    ):
        answer = await ask(ready["listeners"]["main"]["url"])
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 10)
        took_s = time.monotonic() - began

    records = [from_line(line) for line in out.decode().splitlines()]
    assert "[DONE]" not in answer
    assert [record.detail for record in records if isinstance(record, FaultHit)] == ["cut after token 5"]
    assert [record.path for record in records if isinstance(record, ExchangeRecord)] == ["/v1/chat/completions"]
    assert (process.returncode, err) == (0, b"")
    assert took_s < 2
    assert ready["listeners"]["main"]["upstream"] == backend.url


async def test_an_open_stream_does_not_delay_the_end() -> None:
    """A client that waits in a stall for ever is cut off within 2 s of SIGTERM."""
    async with (
        Backend(BackendSettings(tokens=12)) as backend,
        serving("--listen", "127.0.0.1:0", "--upstream", backend.url, "--fault", "time.stall where=token:2") as (
            process,
            ready,
        ),
        aiohttp.ClientSession() as session,
        session.post(ready["listeners"]["main"]["url"] + "/v1/chat/completions", json=QUESTION) as answer,
    ):
        await answer.content.readany()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert time.monotonic() - began < 2


async def test_several_listeners_from_a_file_named_by_the_environment(tmp_path: Path) -> None:
    """CHAOSPROXY_CONFIG stands for --config; each listener has its own faults."""
    async with Backend(BackendSettings(tokens=12, inter_token=0)) as backend:
        file = tmp_path / "proxies.yaml"
        listeners = {
            "cut": {"upstream": backend.url, "faults": ["stream.truncate where=token:5"]},
            "whole": {"upstream": backend.url},
        }
        file.write_text(json.dumps({"listeners": listeners}), encoding="utf-8")

        async with serving(env={"CHAOSPROXY_CONFIG": str(file), "CHAOSPROXY_SEED": "9"}) as (_, ready):
            answers = {name: await ask(facts["url"]) for name, facts in ready["listeners"].items()}

    assert ready["seed"] == 9
    assert {name: "[DONE]" in answer for name, answer in answers.items()} == {"cut": False, "whole": True}


async def test_on_a_leash_it_ends_with_its_pipe() -> None:
    """A run that dies takes its proxy along; and only the ready line is printed."""
    async with (
        Backend(BackendSettings(tokens=3)) as backend,
        serving("--listen", "127.0.0.1:0", "--upstream", backend.url, "--leash") as (process, ready),
    ):
        assert process.stdin is not None
        await ask(ready["listeners"]["main"]["url"])
        process.stdin.close()
        out, _ = await asyncio.wait_for(process.communicate(), 10)

    assert (process.returncode, out) == (0, b"")


async def test_a_busy_port_ends_with_5() -> None:
    """And says which one."""
    async with Backend() as backend:
        listen = backend.url.removeprefix("http://")
        code, err = await ended("serve", "--listen", listen, "--upstream", "http://127.0.0.1:9")

    assert code == 5
    assert err == f"cannot listen on {listen}: address already in use\n"


async def test_a_listener_that_is_its_own_upstream_ends_with_2() -> None:
    """Whether its port is free or not; a single request would use up all connections."""
    code, err = await ended("serve", "--listen", "127.0.0.1:9", "--upstream", "http://localhost:9/v1")

    assert (code, err) == (2, "listener 'main' is its own upstream; a request would go round for ever\n")


async def test_mistakes_are_told_at_once_with_2() -> None:
    """All of them, one line each, before anything listens."""
    code, err = await ended("serve", "--upstream", "http://x", "--fault", "sse.dorp", "--fault", "sse.drop each=0")

    assert code == 2
    assert len(err.splitlines()) == 2


async def test_on_a_terminal_it_speaks_to_a_person() -> None:
    """What listens where, lines for the shell, and one line per exchange."""
    ours, theirs = pty.openpty()
    async with Backend(BackendSettings(tokens=12, inter_token=0)) as backend:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chaosproxy", "serve", "--listen", "127.0.0.1:0", "--upstream", backend.url),
            *("--fault", "stream.truncate where=token:5"),
            stdout=theirs,
            env={**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"},
        )
        os.close(theirs)
        try:
            said = await read_until(ours, "Ctrl-C ends it")
            (url,) = re.findall(r"export ANTHROPIC_BASE_URL=(\S+)", said)
            await ask(url)
            line = await read_until(ours, "withheld")
        finally:
            process.send_signal(signal.SIGINT)
            code = await asyncio.wait_for(process.wait(), 10)
            os.close(ours)

    assert f"export OPENAI_BASE_URL={url}/v1" in said
    assert "#1 POST /v1/chat/completions stream 200: cut after token 5, " in line
    assert code == 0


async def read_until(fd: int, words: str) -> str:
    """What a terminal shows, up to the words."""
    loop = asyncio.get_running_loop()
    text = ""
    arrived: asyncio.Future[None] = loop.create_future()

    def take(resolve: Callable[[None], None]) -> None:
        nonlocal text
        text += os.read(fd, 4096).decode()
        if words in text and not arrived.done():
            resolve(None)

    loop.add_reader(fd, take, arrived.set_result)
    try:
        await asyncio.wait_for(arrived, 30)
    finally:
        loop.remove_reader(fd)
    return text


async def test_metrics_are_where_they_were_asked_for() -> None:
    """On the control port always; on the data port with --metrics-compat, and there they count no scrape."""
    async with Backend(BackendSettings(ttft=0.0, inter_token=0.0)) as backend:
        words = ("--listen", ":0", "--upstream", backend.url, "--control", ":0")
        async with serving(*words, "--metrics-compat") as (_, ready), aiohttp.ClientSession() as session:
            url = ready["listeners"]["main"]["url"]
            await ask(url)
            async with session.get(f"{ready['control']}/metrics") as answer:
                text = await answer.text()
            async with session.get(f"{url}/metrics") as answer:
                page = await answer.json()
        async with serving(*words) as (_, ready):
            url = ready["listeners"]["main"]["url"]
            async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics/slo") as answer:
                upstreams = await answer.text()

    assert 'chaosproxy_exchanges_total{dialect="openai.chat",listener="main",outcome="ok"} 1.0' in text
    assert page["total_requests"] == 1
    assert "slo_target" not in upstreams


async def test_a_collector_that_is_not_there_is_told_in_words_and_changes_nothing() -> None:
    """Answers pass, SIGTERM ends the proxy, and what OpenTelemetry says is no traceback."""
    words = ("--listen", ":0", "--otel-endpoint", "http://127.0.0.1:1/v1/traces")
    async with (
        Backend(BackendSettings(ttft=0.0, inter_token=0.0)) as backend,
        serving("--upstream", backend.url, *words) as (process, ready),
    ):
        assert "[DONE]" in await ask(ready["listeners"]["main"]["url"])
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(process.communicate(), 15)

    assert process.returncode == 0
    assert "Traceback" not in err.decode()
