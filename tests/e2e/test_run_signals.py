"""Whatever ends a run, its faults end too, and so does everything that it started."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from chaosproxy.journal.records import Ended as RunEnded
from chaosproxy.journal.records import FaultEdge, Healed
from tests.e2e.drill import can_bind, family, free_port, running, small, wait_ended

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]

LEASE_S = 2
LONG = {"warmup": "500ms", "lasts": "40s"}
FAULTS = [{"id": "cut", "target": "a", "at": "1s", "do": {"type": "stream.truncate", "where": "token:3"}}]
SAFETY = {"lease": f"{LEASE_S}s"}
STUBBORN = """\
import signal, subprocess, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), BaseHTTPRequestHandler).serve_forever()
"""


def long(port: int = 0) -> str:
    """A drill of forty seconds whose fault begins soon."""
    backends = {"a": {"listen": f"127.0.0.1:{port}", "upstream": "models"}}
    topology = {"entry": "${listener.a}", "backends": backends}
    return small(timeline=LONG, faults=FAULTS, safety=SAFETY, topology=topology, abort=["elapsed > 80s"])


@pytest.mark.parametrize(
    ("signals", "code", "how"),
    [
        ([signal.SIGINT], 130, "interrupted"),
        ([signal.SIGTERM], 143, "terminated"),
        ([signal.SIGINT, signal.SIGINT], 130, "interrupted"),
    ],
    ids=["Ctrl-C", "SIGTERM", "Ctrl-C twice"],
)
def test_a_signal_heals_first(tmp_path: Path, signals: list[signal.Signals], code: int, how: str) -> None:
    """Within ten seconds: the fault is healed in a journal that is whole, the code says what it was, all are gone."""
    with running(tmp_path, long()) as run:
        run.until("cut applied")
        assert len(family(run.mark)) == 4  # runner, backend, proxy, load
        for number in signals:
            run.process.send_signal(number)
        ended = run.ended()

    assert (ended.code, ended.report.ended) == (code, how), ended.err
    assert [edge.edge for edge in ended.all(FaultEdge)] == ["applied", "healed"]
    assert [healed.verified for healed in ended.all(Healed)] == [True]
    assert [end.how for end in ended.all(RunEnded)] == [how]
    assert "Traceback" not in ended.err
    assert family(run.mark) == {}


def test_a_signal_during_the_start(tmp_path: Path) -> None:
    """A system that never becomes ready is not waited for."""
    systems = {"models": {"command": ["sleep", "300"], "ready": {"http": "http://127.0.0.1:${port}/", "within": "60s"}}}
    with running(tmp_path, small(systems=systems)) as run:
        run.until("small: seed")
        run.process.send_signal(signal.SIGINT)
        ended = run.ended()

    assert (ended.code, ended.report.ended) == (130, "interrupted"), ended.err
    assert "Traceback" not in ended.err
    assert family(run.mark) == {}


def test_nothing_survives_a_killed_runner(tmp_path: Path) -> None:
    """After kill -9 everything is gone within lease + 3 s, and the listener's port is free."""
    port = free_port()
    with running(tmp_path, long(port)) as run:
        run.until("cut applied")
        assert not can_bind(port)
        run.process.kill()
        run.process.wait()

        wait_ended(run.mark, LEASE_S + 3)
        assert can_bind(port)


def stubborn(folder: Path) -> str:
    """A drill whose system ignores SIGTERM and has a child of its own."""
    (folder / "stubborn.py").write_text(STUBBORN, encoding="utf-8")
    systems = {"models": {"command": [sys.executable, str(folder / "stubborn.py"), "${port}"]}}
    faults = [{"id": "cut", "target": "a", "at": "0s", "do": {"type": "stream.truncate", "where": "token:3"}}]
    return small(systems=systems, faults=faults, timeline={"warmup": "0s", "lasts": "40s"}, abort=["elapsed > 80s"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stubborn_system_ends_with_its_run(tmp_path: Path, number: signal.Signals) -> None:
    """Also one that ignores SIGTERM, with the child that it started."""
    with running(tmp_path, stubborn(tmp_path)) as run:
        run.until("cut applied")
        commands = list(family(run.mark).values())
        assert sum("stubborn.py" in command for command in commands) == 2  # on its leash
        assert any("sleep(300)" in command for command in commands)
        run.process.send_signal(number)
        run.process.wait(10)

        wait_ended(run.mark, 5)
