"""The drill of the README, run from its file, once for each gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosproxy.shipped import find
from chaosproxy.steady_state.observation import State
from tests.e2e.drill import Ended, chaosproxy, repeat_inconclusive

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILE = str(find("first-drill"))


def first_drill(folder: Path, *words: str) -> Ended:
    """Run it, once more when this machine was too slow to tell."""
    return repeat_inconclusive(lambda: chaosproxy("run", FILE, *words, cwd=folder))


def test_the_resilient_gateway_holds(tmp_path: Path) -> None:
    """The verdict first and what it rests on, then each expectation with its numbers, the faults, how to repeat it."""
    ended = first_drill(tmp_path)

    assert ended.out.startswith("HELD  first-drill: all 8 expectations held"), ended.out
    assert ended.code == 0
    assert "silent_truncated held only because" in ended.sentences
    told = [" ".join(line.split()[1:]) for line in ended.out.splitlines() if line.startswith("held ")]
    assert all(row.startswith(one.text) for row, one in zip(told, ended.report.expectations, strict=True))
    assert all(one.state is State.HELD and one.samples for one in ended.report.expectations)
    assert all(fault.hits >= fault.min_hits > 1 for fault in ended.report.faults)
    assert f"again with: chaosproxy run {FILE} --seed 20261121\n" in ended.out
    assert {"report.json", "journal.jsonl", "junit.xml"} <= {path.name for path in ended.results.iterdir()}


def test_the_naive_gateway_deviates(tmp_path: Path) -> None:
    """The first sentence says what it did wrong; another one, how long its users waited and why."""
    ended = first_drill(tmp_path, "-D", "profile=naive")

    headline = ended.report.headline
    assert ended.out.startswith("DEVIATED  first-drill: "), ended.out
    assert ended.code == 1
    assert "got a cut answer that was passed off as whole: stream.truncate (fault 'cut') ended secondary's" in headline
    assert "the gateway sent its client a regular end (finish_reason 'stop')" in headline
    assert "at primary before secondary was asked: partition (fault 'part') kept primary silent" in ended.sentences
    deviated = {row.id for row in ended.report.expectations if row.state is State.DEVIATED}
    assert deviated == {"silent_truncated", "fallback"}
    assert all(fault.hits >= fault.min_hits > 1 for fault in ended.report.faults)
    assert f"again with: chaosproxy run {FILE} --seed 20261121 -D profile=naive\n" in ended.out
