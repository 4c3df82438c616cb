"""Runs that Chaos Toolkit 1.19 passes, leaves broken or cannot do at all, each with the end that it must have here."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from chaosproxy.cli.run import prepare
from chaosproxy.control.client import ControlClient
from chaosproxy.journal.records import AnyRecord, FaultEdge, GateJudged, Healed, Opened
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.runner.order import Order
from chaosproxy.runner.run import Finished, run_experiment
from chaosproxy.steady_state.observation import State
from tests.e2e.drill import drill, repeat_inconclusive, small, write

pytestmark = pytest.mark.e2e

FAILS = {"type": "http.status", "status": 500}
TWO_OF_SIX: Mapping[str, Any] = {
    "timeline": {"warmup": "300ms", "lasts": "6s", "quiet_tail": "2s"},
    "faults": [{"id": "down", "target": "a", "at": "1500ms", "lasts": "2s", "do": FAILS}],
    "hypothesis": ["success >= 99%", {"id": "recovered", "expect": "success == 100%", "over": "tail"}],
}
"""Six seconds, of which the system is down for two; at the end all is well again."""
SHORT: Mapping[str, Any] = {
    "timeline": {"warmup": "0s", "lasts": "1500ms"},
    "faults": [{"id": "down", "target": "a", "at": "500ms", "lasts": "500ms", "do": FAILS}],
    "hypothesis": ["success >= 10%"],
}


def order(folder: Path, **sections: Any) -> Order:
    """A small experiment, ready to be run by whoever embeds the runner."""
    write(folder, small(report={"dir": str(folder / "out")}, **sections))
    return prepare(str(folder / "drill.yaml"), {}, None)


def test_a_gate_out_of_tolerance_is_no_success(tmp_path: Path) -> None:
    """Chaos Toolkit: exit 0. Here nothing is injected, the reason is said, and the run is inconclusive: 3."""
    ended = drill(tmp_path, small(gate={"window": "500ms", "expect": ["ttft.max <= 1ms"]}))

    assert ended.code == 3, ended.err
    assert ended.report.headline.startswith("the gate did not hold, so nothing was injected: ttft.max <= 1ms: observed")
    assert (ended.all(FaultEdge), ended.all(FaultHit)) == ([], [])


async def test_a_fault_that_cannot_be_applied_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chaos Toolkit: exit 0. Here a proxy that does not take its fault ends the run with 5, in words."""
    monkeypatch.setattr(ControlClient.__init__, "__kwdefaults__", {"answer_s": 0.5})
    proxy: list[int] = []

    def notice(record: AnyRecord) -> None:
        if isinstance(record, Opened) and record.process == "proxy":
            proxy.append(record.pid)
        if isinstance(record, GateJudged):
            os.kill(proxy[0], signal.SIGSTOP)  # the runner kills it in the end

    finished = await run_experiment(order(tmp_path), on_record=notice)

    assert finished.verdict.exit_code == 5
    assert "cannot be reached" in finished.verdict.headline
    assert not any(isinstance(record, FaultEdge) for record in finished.journal.records)


def test_what_broke_and_recovered_has_broken(tmp_path: Path) -> None:
    """Chaos Toolkit: exit 0, for its last look was a good one. Here every call counts: 1."""
    ended = repeat_inconclusive(lambda: drill(tmp_path, small(**TWO_OF_SIX)))

    assert ended.code == 1, ended.err
    assert {row.id: row.state for row in ended.report.expectations} == {
        "success": State.DEVIATED,
        "recovered": State.HELD,
    }


def test_an_abort_is_quick_and_heals(tmp_path: Path) -> None:
    """Chaos Toolkit fails fast only after the action, and leaves the fault on. Here it is healed at once: 4."""
    faults = [{"id": "down", "target": "a", "at": "500ms", "lasts": "10s", "do": FAILS}]
    abort = [{"when": "error_rate > 50%", "for": "500ms"}, "elapsed > 30s"]
    timeline = {"warmup": "300ms", "lasts": "12s"}

    ended = drill(tmp_path, small(timeline=timeline, faults=faults, abort=abort))

    applied, healed = ended.all(FaultEdge)
    assert ended.code == 4, ended.err
    assert (applied.edge, healed.edge) == ("applied", "healed")
    assert healed.at - applied.at < 8
    assert [record.verified for record in ended.all(Healed)] == [True]
    assert "error_rate > 50%" in ended.report.headline


def test_an_expectation_is_judged_or_refused(tmp_path: Path) -> None:
    """Chaos Toolkit ignores a tolerance in its method. Here each one that nobody would judge is refused by name: 2."""
    fault = {"id": "cut", "target": "a", "at": "1s", "do": FAILS}
    ended = drill(
        tmp_path,
        small(
            tolerance="success >= 99%",
            timeline={"lasts": "3s", "expect": "success >= 99%"},
            load={"arrival": {"rate": "5/s"}, "expect": "success >= 99%"},
            faults=[{**fault, "expect": "success >= 99%"}, {**fault, "id": "b", "do": {**FAILS, "tolerance": 200}}],
            heal={"within": "5s", "expect": ["success >= 99%"]},
        ),
    )

    assert ended.code == 2
    assert ended.directory is None
    refused = ("tolerance", "timeline.expect", "load.expect", "faults[0].expect", "faults[1].do.tolerance")
    assert [place for place in (*refused, "heal.expect") if f" {place}: " not in ended.err] == [], ended.err


def test_misspelt_keys_are_refused(tmp_path: Path) -> None:
    """Chaos Toolkit validates and passes a file full of them. Here each is named, with what was meant: 2."""
    fault = {"id": "cut", "target": "a", "at": "1s", "do": {**FAILS, "statsu": 500}, "shaer": "20%"}
    hypothesis = [{"expect": "success >= 99%", "ovre": "tail"}]
    ended = drill(tmp_path, small(faults=[fault], hypothesis=hypothesis, hypotesis=["success >= 99%"], gaet={}))

    assert (ended.code, ended.directory) == (2, None)
    for misspelt, meant in (
        ("statsu", "status"),
        ("shaer", "share"),
        ("ovre", "over"),
        ("hypotesis", "hypothesis"),
        ("gaet", "gate"),
    ):
        assert f"{misspelt}: unknown key, did you mean '{meant}'?" in ended.err


def test_a_run_in_a_thread(tmp_path: Path) -> None:
    """Chaos Toolkit: ValueError, signals belong to the main thread. Here a thread can run experiments."""
    ready = order(tmp_path, **SHORT)
    results: list[Finished] = []
    thread = threading.Thread(target=lambda: results.append(asyncio.run(run_experiment(ready))))
    thread.start()
    thread.join(45)

    (finished,) = results
    assert finished.verdict.ended == "completed"
    assert finished.verdict.faults[0].hits >= 1


async def test_a_run_in_a_loop_leaves_the_loop_alone(tmp_path: Path) -> None:
    """Chaos Toolkit freezes it: no tick in 6 s. Here the loop goes on, and its signal handlers stay its own."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    ticks, began = 0, monotonic()

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    finished = await run_experiment(order(tmp_path, **SHORT))
    ticking.cancel()

    assert finished.verdict.ended == "completed"
    assert ticks > 10 * (monotonic() - began)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
