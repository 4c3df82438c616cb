"""A runner that stands still keeps no fault alive, and its run claims nothing that did not happen."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from pathlib import Path
from time import monotonic, sleep

import pytest

from chaosproxy.journal.records import FaultEdge
from tests.e2e.drill import free_port, running, small

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LEASE_S = 1.0
PLANNED_S = 8.0


def healthy(port: int) -> bool:
    """Whether a client is answered through the listener."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def test_a_stopped_runner_loses_its_faults(tmp_path: Path) -> None:
    """The proxy ends the fault when its lease is over; woken up, the run says that its fault was cut short: 3."""
    port = free_port()
    text = small(
        topology={"entry": "${listener.a}", "backends": {"a": {"listen": f"127.0.0.1:{port}", "upstream": "models"}}},
        faults=[
            {"id": "down", "target": "a", "at": "500ms", "lasts": f"{PLANNED_S:g}s", "do": {"type": "http.status"}}
        ],
        timeline={"warmup": "500ms", "lasts": f"{PLANNED_S + 1:g}s"},
        hypothesis=["success >= 1%"],
        abort=["elapsed > 60s"],
        safety={"lease": f"{LEASE_S:g}s"},
    )
    with running(tmp_path, text) as run:
        run.until("down applied")
        assert not healthy(port)
        run.process.send_signal(signal.SIGSTOP)
        stopped_at = monotonic()
        while not healthy(port):
            assert monotonic() < stopped_at + PLANNED_S - 2, "the fault outlived its lease"
            sleep(0.1)
        run.process.send_signal(signal.SIGCONT)
        ended = run.ended()

    assert ended.code == 3, ended.out
    assert [edge.why for edge in ended.all(FaultEdge) if edge.edge == "healed"] == ["lease"]
    assert "because its lease ran out" in ended.report.headline
