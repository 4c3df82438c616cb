"""FakeAI, a server that we did not write, through a proxy with its metrics on the data port: D1 to D11."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.e2e.drill import free_port

WITHIN_S = 120.0
OURS = (sys.executable, "-m", "chaosproxy")

pytestmark = [
    pytest.mark.real,
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(importlib.util.find_spec("fakeai") is None, reason="the fakeai server is not installed"),
]


@dataclass(frozen=True, slots=True)
class Chain:
    """A proxy of ours (``url``, ``control``) before FakeAI, whose own log is ``log``."""

    url: str
    control: str
    log: Path
    process: subprocess.Popen[str]
    server: subprocess.Popen[bytes]


@contextmanager
def fakeai(folder: Path) -> Iterator[tuple[int, Path, subprocess.Popen[bytes]]]:
    """Its port, its log, and its process."""
    port, log = free_port(), folder / "fakeai.log"
    words = [str(Path(sys.executable).with_name("fakeai")), "server", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as said, subprocess.Popen(words, stdout=said, stderr=said, cwd=folder) as process:
        try:
            due = monotonic() + WITHIN_S
            while ask(f"http://127.0.0.1:{port}/health")[0] != 200:
                assert process.poll() is None, log.read_text("utf-8", "replace")
                assert monotonic() < due, log.read_text("utf-8", "replace")
                sleep(0.2)
            yield port, log, process
        finally:
            process.kill()


@contextmanager
def chain(folder: Path, *faults: str) -> Iterator[Chain]:
    """With faults from the start, and one seed."""
    with fakeai(folder) as (port, log, server):
        words = [*OURS, "serve", "--upstream", f"http://127.0.0.1:{port}", "--listen", "127.0.0.1:0", "--seed", "4"]
        words += ["--control", "127.0.0.1:0", "--metrics-compat", "--json"]
        words += [word for fault in faults for word in ("--fault", fault)]
        with (folder / "proxy.log").open("w") as errors:
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True)
        with process:
            try:
                assert process.stdout is not None
                facts = json.loads(process.stdout.readline())
                yield Chain(facts["listeners"]["main"]["url"], facts["control"], log, process, server)
            finally:
                process.terminate()
                process.communicate(timeout=WITHIN_S)


def ask(url: str) -> tuple[int, Any]:
    """Status and JSON; status 0 without an answer."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - ours
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError):
        return 0, None


def validate(*words: str) -> tuple[int, list[str]]:
    """`chaosproxy validate`: exit code and lines. Its patience is that of a slow machine."""
    done = subprocess.run(
        [*OURS, "validate", *words, "--request-timeout", "60s"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=WITHIN_S * 2,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def pages(at: Chain) -> dict[str, Any]:
    """The five pages of the data port, which FakeAI's own do not get through."""
    found = {
        name: ask(at.url + name)[1] for name in ("/metrics", "/metrics/errors", "/metrics/streaming", "/metrics/slo")
    }
    assert all(isinstance(page, dict) for page in found.values())
    return found


def test_twenty_calls_metrics_and_log(tmp_path: Path) -> None:
    """D1, D3, D4, D7, D10, D11: it passes, and says so line by line; scrapes are not counted."""
    with chain(tmp_path) as at:
        code, lines = validate(at.url, "--log", str(at.log))
        found = pages(at)

    assert (code, lines[-1]) == (0, "pass"), "\n".join(lines)
    assert len([line for line in lines if line.startswith("[") and " OK " in line]) == 20
    assert "streamed 10/10, plain 10/10" in lines[-2]
    assert float(lines[-2].partition("%, ")[2].partition(" s;")[0]) < 10  # half a second, on a machine of two cores
    assert found["/metrics"]["total_requests"] == found["/metrics/errors"]["total_requests"] >= 20
    assert found["/metrics/streaming"] == {**found["/metrics/streaming"], "total_streams": 10, "successful_streams": 10}


def test_the_pages_agree_under_thirty_percent_errors(tmp_path: Path) -> None:
    """D4, D6, D9: some calls fail, and every page counts the same ones."""
    with chain(tmp_path, "http.status status=500 share=30%") as at:
        code, lines = validate(at.url, "--min-success", "30%")
        found = pages(at)

    assert (code, lines[-1]) == (0, "pass"), "\n".join(lines)
    errors, slo = found["/metrics/errors"], found["/metrics/slo"]
    assert 0 < errors["total_errors"] < errors["total_requests"]
    assert errors["error_rate"] == pytest.approx(errors["total_errors"] / errors["total_requests"])
    assert slo["success_rate"] + errors["error_rate"] == pytest.approx(1, abs=0.02)
    failed = len([line for line in lines if line.startswith("[") and " FAILED " in line])
    assert abs(errors["total_errors"] - failed) <= 2


def test_a_stream_that_is_cut_cleanly_has_failed(tmp_path: Path) -> None:
    """D5: for the validation, and for the metrics."""
    with chain(tmp_path, "stream.truncate where=token:2 match.stream=true") as at:
        code, lines = validate(at.url)
        found = pages(at)

    assert (code, lines[-1]) == (1, "fail"), "\n".join(lines)
    assert "streamed 0/10, plain 10/10" in lines[-2]
    assert (found["/metrics/streaming"]["failed_streams"], found["/metrics/streaming"]["successful_streams"]) == (10, 0)


def test_our_health_is_not_fakeais(tmp_path: Path) -> None:
    """D2: its /health is answered by FakeAI itself; when FakeAI is gone ours says degraded, and goes on."""
    with chain(tmp_path) as at:
        assert ask(f"{at.url}/health")[0] == 200
        before = ask(f"{at.control}/-/health")[1]
        at.server.kill()
        at.server.wait(WITHIN_S)
        due = monotonic() + WITHIN_S
        while (after := ask(f"{at.control}/-/health")[1])["status"] == "ok":
            assert monotonic() < due
            sleep(0.1)
        assert ask(f"{at.url}/health")[0] == 502

    assert (before["status"], before["upstreams"]) == ("ok", {"main": "up"})
    assert (after["status"], after["upstreams"], after["ready"]) == ("degraded", {"main": "down"}, True)
    assert after["uptime_s"] > before["uptime_s"]
