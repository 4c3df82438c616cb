"""The soak, for a minute: a plan that never rests, 200 streams and many other clients leave nothing behind."""

from __future__ import annotations

import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest

from tests.e2e.soak import LINUX, untraced

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(420),
    pytest.mark.skipif(not LINUX, reason="reads /proc"),
]

SECONDS = 60
TOO_SHORT = "growth of resident memory after five minutes"
ROOT = Path(__file__).parents[2]


async def test_a_minute_of_changing_plans_leaves_nothing_behind(tmp_path: Path) -> None:
    """Files, tasks and timers as before, no call without an end, every counter adds up; only memory needs longer."""
    words = ("-m", "benchmarks.soak", "--seconds", str(SECONDS), "--json", "--keep", str(tmp_path / "soak"))
    soak = await create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdout=PIPE, stderr=PIPE, env=untraced())
    try:
        told, log = await soak.communicate()
    finally:
        if soak.returncode is None:
            soak.kill()

    assert told, log.decode()
    said = json.loads(told)
    assert {bar["what"]: bar["found"] for bar in said["bars"] if bar["met"] is False} == {}, log.decode()
    assert [bar["what"] for bar in said["bars"] if bar["met"] is None] == [TOO_SHORT]
    assert soak.returncode == 0
