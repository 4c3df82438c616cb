"""``chaosproxy validate`` on real sockets: whole servers, broken ones, and none."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import closing
from pathlib import Path
from socket import socket
from typing import Any

import pytest

from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.lab.backend import Backend
from chaosproxy.probes.validation.calls import CALLS, MODELS, wishes
from tests.cli.command import Ended, chaosproxy


async def validated(url: str, *words: str) -> Ended:
    """The command, in a thread of its own: this loop serves meanwhile."""
    return await asyncio.to_thread(chaosproxy, "validate", url, *words)


def backend(**settings: Any) -> Backend:
    """A quick one of the lab."""
    return Backend(BackendSettings.model_validate({"ttft": "1ms", "inter_token": "1ms", "tokens": 5, **settings}))


def test_what_is_asked() -> None:
    """Ten plain, ten streamed, and each model two of both."""
    asked = wishes()

    assert len(asked) == CALLS == 20
    for model in MODELS:
        assert sorted(wish.stream for wish in asked if wish.model == model) == [False, False, True, True]


async def test_a_good_server_passes() -> None:
    """A line per call, the checks, a summary, and the verdict in the last line."""
    async with backend() as server:
        said = await validated(server.url, "--metrics", "none")

    lines = said.out.splitlines()
    assert (said.code, lines[-1]) == (0, "pass")
    assert (
        len([line for line in lines if re.fullmatch(r"\[[ \d]\d/20\] (NORMAL|STREAM) \S+ OK \d+\.\d{3}s", line)]) == 20
    )
    assert re.fullmatch(r"21/21 checks, pass rate 100.0%, .* s; streamed 10/10, plain 10/10, mean .* s", lines[-2])


async def test_partial_and_fail_are_told_apart() -> None:
    """One model of five fails: fail. A server without metrics: partial or fail by their number, never a pass."""
    async with backend(should_fail={"gpt-4": 500}) as server:
        failing = await validated(server.url, "--metrics", "none")
    async with backend() as server:
        bare = await validated(server.url)

    assert (failing.code, failing.out.splitlines()[-1]) == (1, "fail")
    assert failing.out.count("FAILED") == 4
    assert ": status 500" in failing.out
    assert (bare.code, bare.out.splitlines()[-1]) == (1, "fail")
    assert "FAILED /metrics/slo (status 404)" in bare.out


async def test_a_log_with_an_exception_is_a_partial(tmp_path: Path) -> None:
    """What stood there before is not looked at; of what was written since, the first lines are shown."""
    log, program = tmp_path / "server.log", tmp_path / "print_log.py"
    log.write_text("ValueError: long ago\n")
    program.write_text(
        f"text = open({str(log)!r}).read()\nprint(text, end='')\nopen({str(log)!r}, 'a').write('KeyError: 1\\n')"
    )

    async with backend() as server:
        clean = await validated(server.url, "--metrics", "none", "--log", str(log))
        dirty = await validated(server.url, "--metrics", "none", "--log-command", f"{sys.executable} {program}")
        missing = await validated(server.url, "--metrics", "none", "--log", str(tmp_path / "none.log"))

    assert clean.code == 0, clean.out
    assert (dirty.code, dirty.out.splitlines()[-1]) == (1, "partial")
    assert "FAILED log without exceptions (KeyError: 1)" in dirty.out
    assert (missing.code, "FAILED log without exceptions (it cannot be read" in missing.out) == (1, True)


async def test_some_calls_may_fail() -> None:
    """Then the share is one check."""
    async with backend(should_fail={"gpt-4": 500}) as server:
        enough = await validated(server.url, "--metrics", "none", "--min-success", "80%")
        not_enough = await validated(server.url, "--metrics", "none", "--min-success", "90%")

    assert (enough.code, not_enough.code) == (0, 1)
    assert "OK     calls (80% succeeded)" in enough.out


def test_an_absent_server_and_wrong_words_end_with_1() -> None:
    """Never with another code."""
    with closing(socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        absent = chaosproxy("validate", url, "--server-timeout", "300ms")

    assert (absent.code, absent.out.splitlines()[-1]) == (1, "fail")
    assert "FAILED server (absent after 0.3 s)" in absent.out
    for words in (["foo"], [url, "--server-timeout", "x"], [url, "--log", "a", "--log-command", "b"]):
        said = chaosproxy("validate", *words)
        assert (said.code, said.err.splitlines()[-1]) == (1, "fail")


async def test_host_port_and_timeouts_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds without a unit, as others write them."""
    async with backend() as server:
        monkeypatch.setenv("FAKEAI_PORT", server.url.rpartition(":")[2])
        monkeypatch.setenv("FAKEAI_HOST", "127.0.0.1")
        monkeypatch.setenv("SERVER_TIMEOUT", "20")
        monkeypatch.setenv("REQUEST_TIMEOUT", "10")
        said = await asyncio.to_thread(chaosproxy, "validate", "--metrics", "none")

    assert said.code == 0, said.out
