"""``chaosproxy minimize`` on real runs: two faults of three are to blame, and nothing else is left in the file."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chaosproxy.experiment.load_file import parse_experiment
from tests.e2e import drill as drills
from tests.e2e.drill import chaosproxy, drill, family

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

TWO_OF_THREE = """\
experiment: v1
seed: 11
vars: {status: 400}
systems:
  models: {lab: backend, tokens: 4, ttft: 5ms, inter_token: 2ms}
  gateway: {lab: gateway, upstreams: {primary: "${listener.primary}", secondary: "${listener.secondary}"}}
topology:
  entry: gateway
  backends:
    primary: {upstream: models, role: primary}
    secondary: {upstream: models, role: fallback}
load: {arrival: {rate: 8/s, process: constant}, request: {timeout: 10s}}
timeline: {warmup: 500ms, lasts: 1500ms}
faults:
  - {id: down, target: primary, at: 0s, do: {type: http.status, status: 503}}
  - {id: chatty, target: [primary, secondary], at: 0s, do: {type: sse.comment}}
  - {id: also, target: secondary, at: 0s, do: {type: http.status, status: "${status}"}}
hypothesis:
  - silent_truncated == 0
  - {id: hidden, expect: success >= 60%}
abort: []
"""


def test_the_two_faults_that_matter_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alone is hidden by the gateway. The file that is left says so without any option, and leaves no process."""
    monkeypatch.setattr(drills, "WITHIN_S", 800.0)
    first = drill(tmp_path, TWO_OF_THREE, "-D", "status=503")
    assert first.code == 1, first.err
    interrupt(tmp_path, first.results)

    found = chaosproxy("minimize", str(first.results), "--repeats", "1", "--budget", "12m", cwd=tmp_path)

    assert found.code == 0, found.err
    assert "hidden: 3 faults; a candidate deviates when 1 of 1 runs do" in found.err
    assert "smallest: 2 of 3 faults: down, also" in found.out
    assert "again with: chaosproxy run drill-minimal.yaml --seed 11" in found.out
    text = (tmp_path / "drill-minimal.yaml").read_text("utf-8")
    smallest = parse_experiment(text, "drill-minimal.yaml")
    assert [fault.id for fault in smallest.faults] == ["down", "also"]
    assert [entry.id for entry in smallest.hypothesis] == ["hidden"]
    assert (smallest.seed, smallest.vars) == (11, {"status": "503"})
    assert (first.results / "minimize-2/001/experiment.yaml").is_file()
    assert (first.results / "minimize-2/001/journal.jsonl").is_file()
    assert family(found.mark) == {}
    again = chaosproxy("run", "drill-minimal.yaml", cwd=tmp_path)
    assert (again.code, [row.id for row in again.report.expectations]) == (1, ["hidden"])


def interrupt(folder: Path, run: Path) -> None:
    """Ctrl-C in the second run: 130, and the best that was seen so far is written."""
    words = ["minimize", str(run), "--repeats", "1", "--budget", "12m", "--output", "stopped.yaml"]
    process = subprocess.Popen(
        [sys.executable, "-m", "chaosproxy", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "everything, again" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=drills.WITHIN_S)
    finally:
        process.kill()
        process.wait(drills.WITHIN_S)

    assert process.returncode == 130, err
    assert "interrupted: smaller ones were not tried" in out
    assert "smallest so far: 3 of 3 faults: down, chatty, also" in out
    assert len(parse_experiment((folder / "stopped.yaml").read_text("utf-8"), "stopped.yaml").faults) == 3
    assert (run / "minimize/002/journal.jsonl").is_file()
