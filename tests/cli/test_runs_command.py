"""``chaosproxy runs``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import chaosproxy


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--keep", "3"], "--keep and --older-than say what --prune removes"),
        (["--prune"], "--prune needs --keep N or --older-than AGE"),
        (["--prune", "--older-than", "30"], "expected an age such as 30d, 12h or 90m, got '30'"),
        (["--prune", "--older-than", "1.5d"], "expected an age such as 30d, 12h or 90m, got '1.5d'"),
    ],
)
def test_what_is_not_said_clearly_removes_nothing(words: list[str], said: str) -> None:
    """2, in words."""
    ended = chaosproxy("runs", *words)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_an_empty_place(tmp_path: Path) -> None:
    """No runs, no mistake."""
    assert json.loads(chaosproxy("runs", str(tmp_path), "--json").out) == []
    pruned = chaosproxy("runs", str(tmp_path), "--prune", "--older-than", "30d", "--json")
    assert json.loads(pruned.out) == {"removed": [], "kept": {}}
    assert chaosproxy("runs", str(tmp_path), "--prune", "--keep", "0").out == "0 removed\n"


def test_where_no_runs_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped name and a file are mistakes; that nothing was run here yet is none."""
    monkeypatch.chdir(tmp_path)
    assert chaosproxy("runs").code == 0
    assert json.loads(chaosproxy("runs", "--json").out) == []
    nowhere = chaosproxy("runs", "nofolder")
    assert (nowhere.code, nowhere.out) == (2, "")
    assert nowhere.err.startswith("nofolder: no such folder")
    assert chaosproxy("runs", "nofolder", "--prune", "--keep", "3").code == 2
    (tmp_path / "out").touch()
    file = chaosproxy("runs")
    assert (file.code, file.out) == (2, "")
    assert file.err.startswith("out: not a folder")
