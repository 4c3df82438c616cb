"""How a run begins."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.cli.run import prepare
from chaosproxy.journal.traffic import Call
from chaosproxy.runner.parts import Part
from chaosproxy.runner.run import run_experiment
from tests.e2e.drill import small, write

pytestmark = pytest.mark.e2e

SLOW_S = 2.0


async def test_a_load_that_starts_slowly_sends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of a run begins when its load is ready: a slow machine does not make the first calls late."""
    start_module = Part.start_module

    async def slowly(name: str, *more: Any) -> Part:
        if name == "load":
            await asyncio.sleep(SLOW_S)
        return await start_module(name, *more)

    monkeypatch.setattr(Part, "start_module", slowly)
    timeline = {"warmup": "0s", "lasts": "1s"}
    load = {"arrival": {"rate": "10/s", "process": "constant"}, "calls": 3}
    write(tmp_path, small(timeline=timeline, load=load, faults=[], report={"dir": str(tmp_path / "out")}))

    finished = await run_experiment(prepare(str(tmp_path / "drill.yaml"), {}, None))

    calls = [record for record in finished.journal.records if isinstance(record, Call)]
    assert len(calls) == 3
    assert all(call.sent_at is not None and call.sent_at - call.intended_at < SLOW_S / 2 for call in calls)
