"""The nightly half of C3: the canary under every fault of the catalogue that a chat can meet."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from chaosproxy.faults import CATALOGUE

ROOT = Path(__file__).parents[3]
CANARY = ROOT / "experiments" / "vllm-router" / "test_canary.py"
LAB = f"{sys.executable} -m chaosproxy lab gateway --upstream a={{a}} --upstream b={{b}} --listen 127.0.0.1:{{port}}"


def canary(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The drill as a nightly pipeline runs it, with a gateway whose deadlines are short."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TIMEOUT_S": "6"}
    env |= {"FAULTS": "every", "GATEWAY": f"{LAB} plain_answer=1s retries=0", **variables}
    plain = ("-q", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "chaosproxy.pytest_plugin")
    command = [sys.executable, "-m", "pytest", *plain, *words, str(CANARY)]
    return subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_paris_or_an_error_under_every_fault(tmp_path: Path) -> None:
    """One after the other, plain and streamed; the faults of WebSockets are not for a chat."""
    done = canary(tmp_path, "-k", "or_an_error")

    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize("stream", [True, False])
def test_every_fault_is_every_fault(monkeypatch: pytest.MonkeyPatch, *, stream: bool) -> None:
    """Those of streams are tried on plain answers, too: most of them must pass there."""
    monkeypatch.setenv("FAULTS", "every")
    faults = runpy.run_path(str(CANARY))["faults_of"](stream, None)

    expected = {fault.type for fault in CATALOGUE if not fault.type.startswith("ws.")}
    assert {fault.split()[0] for fault in faults} == expected


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_empty_answer_passes_no_canary(tmp_path: Path) -> None:
    """What a naive gateway makes of them is named, each with its fault."""
    done = canary(tmp_path, "-k", "or_an_error and streamed", GATEWAY=f"{LAB} --profile naive naive_total=2s")

    assert done.returncode == 1
    for fault in ("llm.empty", "llm.early_stop where=token:0", "sse.drop where=token:0", "llm.refusal where=token:0"):
        assert f"{fault}: a wrong answer with status 200: ''" in done.stdout
