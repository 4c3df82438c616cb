"""Runs that break off in other ways than by a signal: their task is cancelled, or a part of ours dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest

from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.journal.reading import read_journal
from chaosproxy.journal.records import AnyRecord, Ended, FaultEdge
from chaosproxy.runner.order import Order
from chaosproxy.runner.run import run_experiment
from tests.e2e.drill import MARK, family

pytestmark = pytest.mark.e2e

FILE = """
experiment: v1
systems:
  m: {lab: backend, tokens: 5, ttft: 10ms, inter_token: 5ms}
topology:
  entry: "${listener.a}"
  backends: {a: {upstream: m}}
load: {arrival: {rate: 10/s}, request: {timeout: 2s}}
timeline: {warmup: 300ms, lasts: 20s}
faults: [{id: cut, target: a, at: 500ms, lasts: 10s, do: {type: stream.truncate, where: "token:3"}}]
hypothesis: [silent_truncated == 0]
abort: [elapsed > 60s]
"""


def _order(directory: Path) -> Order:
    return Order(
        experiment=parse_experiment(FILE, "drill.yaml"),
        seed=1,
        run_id="drill-1",
        nonce="ab12cd",
        file="drill.yaml",
        text=FILE,
        overrides={},
        directory=directory,
    )


def _once(fault_acts: asyncio.Event) -> Callable[[AnyRecord], None]:
    def notice(record: AnyRecord) -> None:
        if isinstance(record, FaultEdge) and record.edge == "applied":
            fault_acts.set()

    return notice


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """By which the processes of a run are found, and none of another test's."""
    mark = token_hex(8)
    monkeypatch.setenv(MARK, mark)
    return mark


async def test_a_cancelled_run_heals_writes_its_journal_and_leaves_nothing(tmp_path: Path, mark: str) -> None:
    """Cancelling the task ends the fault first; no task, no process and no half journal stays behind."""
    before, acts = asyncio.all_tasks(), asyncio.Event()
    run = asyncio.create_task(run_experiment(_order(tmp_path), on_record=_once(acts)))
    await asyncio.wait_for(acts.wait(), 30)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    records = read_journal((tmp_path / "journal.jsonl").read_text().splitlines()).records
    assert [edge.why for edge in records if isinstance(edge, FaultEdge) and edge.edge == "healed"] == ["cleared"]
    assert [end.why for end in records if isinstance(end, Ended)] == ["the run was cancelled"]
    assert asyncio.all_tasks() == before
    assert not family(mark)


async def test_a_proxy_that_dies_is_an_error_with_a_journal(tmp_path: Path, mark: str) -> None:
    """A kill of our own proxy ends the run with exit code 5, and what was recorded is there."""
    acts = asyncio.Event()
    run = asyncio.create_task(run_experiment(_order(tmp_path), on_record=_once(acts)))
    await asyncio.wait_for(acts.wait(), 30)
    (proxy,) = [pid for pid, command in family(mark).items() if "chaosproxy serve" in command]

    os.kill(proxy, signal.SIGKILL)
    finished = await run

    assert finished.verdict.exit_code == 5
    assert "proxy ended in mid-run with status -9" in finished.verdict.ended_why
    assert finished.path.is_file()
    assert any(isinstance(record, Ended) for record in finished.journal.records)
