"""The table of drills is complete, and each line of it holds on one system and finds a defect on another.

Both exit codes are asserted; an inconclusive run is repeated (this machine may be too slow for it), a deviated one not.
The table is checked as a whole; of its rows a commit runs a quarter, another one than its neighbours (decision 56).
CHAOSPROXY_DRILLS=all runs all of them, CHAOSPROXY_DRILLS=2/4 the second quarter.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from chaosproxy import shipped
from scripts.drills import PAGE, PARTS, Row, part, part_of_commit, rows, run

ROWS = rows(PAGE.read_text(encoding="utf-8"))
CHOSEN = part(ROWS, os.environ.get("CHAOSPROXY_DRILLS") or part_of_commit())
DONE = {
    "A": range(1, 19),
    "B": range(1, 16),
    "C": range(1, 14),
    "D": range(1, 12),
    "E": range(1, 20),
}
FOLDERS = {
    "A": "streaming-adapter",
    "B": "load-balancing-gateway",
    "C": "vllm-router",
    "D": "openai-server",
    "E": "model-availability",
}
NEEDS_REDIS = {"B7", "B8", "B12"}
NEEDS_CURL = {"A18", "B4", "E1", "E2", "E15"}


def test_every_line_of_a_kind_stands_in_the_table() -> None:
    """A13 and A18 are two drills each, C5 is for models of three sizes; every other line stands there once."""
    expected = Counter(f"{kind}{number}" for kind, lines in DONE.items() for number in lines)

    assert Counter(row.line for row in ROWS) == expected + Counter(["A13", "A18", "C5", "C5"])
    assert all(row.failure and row.what for row in ROWS)


def test_every_drill_that_ships_stands_in_the_table() -> None:
    """And nothing else does: a row without its file would be a promise."""
    listed = {row.name.removeprefix("experiments/").partition("::")[0] for row in ROWS}

    assert listed == {drill.name for drill in shipped.drills()}
    assert all(row.name.removeprefix("experiments/").startswith(f"{FOLDERS[row.line[0]]}/") for row in ROWS)


def test_no_line_of_the_page_is_left_unread() -> None:
    """What looks like a row is one that was understood."""
    written = [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] in {f"| {k}" for k in "ABCDE"}
    ]

    assert len(written) == len(ROWS)


class TestParts:
    """What one commit runs."""

    def test_all_parts_together_are_all_rows(self) -> None:
        parts = [part(ROWS, f"{number}/{PARTS}") for number in range(1, PARTS + 1)]

        assert Counter(row for each in parts for row in each) == Counter(ROWS)
        assert part(ROWS, "all") == ROWS

    @pytest.mark.parametrize("number", range(1, PARTS + 1))
    def test_each_part_has_rows_of_every_kind(self, number: int) -> None:
        assert {row.line[0] for row in part(ROWS, f"{number}/{PARTS}")} == set(DONE)

    def test_a_commit_always_has_the_same(self) -> None:
        assert part_of_commit() == part_of_commit()
        assert part(ROWS, part_of_commit())

    @pytest.mark.parametrize("which", ["", "0/4", "5/4", "a/4", "1/0", "1", "some"])
    def test_there_are_no_others(self, which: str) -> None:
        with pytest.raises(ValueError, match="expected all, or a part"):
            part(ROWS, which)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("row", CHOSEN, ids=lambda row: f"{row.line}-{Path(row.name).stem}")
class TestRows:
    """Each line, as its owner would run it."""

    @pytest.fixture(autouse=True)
    def _programs(self, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a drill starts, or is written in, is there; and a stop may take its time here."""
        if row.line in NEEDS_REDIS and shutil.which("redis-server") is None:
            pytest.skip("the redis-server program is not installed")
        if row.line == "D1" and importlib.util.find_spec("fakeai") is None:
            pytest.skip("the fakeai server is not installed")
        if row.line in NEEDS_CURL and shutil.which("curl") is None:
            pytest.skip("the curl program is not installed")
        monkeypatch.setenv("STOP_WITHIN_S", "30")

    def test_holds_on_a_good_system(self, row: Row, tmp_path: Path) -> None:
        """Exit code 0."""
        ended = run(row, tmp_path, defect=False)

        assert ended.code == 0, ended.out

    def test_deviates_where_the_defect_is_planted(self, row: Row, tmp_path: Path) -> None:
        """Exit code 1, and for the right reason: something was looked at, and found wrong."""
        ended = run(row, tmp_path, defect=True)

        assert ended.code == 1, ended.out
        assert "DEVIATED" in ended.out or " failed" in ended.out or "not whole" in ended.out or "FAILED" in ended.out
