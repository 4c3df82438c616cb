"""Which run is meant when none is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chaosproxy.journal.records import Opened, to_line
from tests.cli.command import chaosproxy


def test_a_summary_of_several_runs_is_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`explain` looks at the newest journal, however new a folder without one is."""
    monkeypatch.chdir(tmp_path)
    for name, at in (("old", 1), ("new", 2), ("series-20261121-000000-abcdef", 3)):
        folder = tmp_path / "out" / name
        folder.mkdir(parents=True)
        if at < 3:
            opened = Opened(process="runner", host="h", pid=1, mono=0, wall=0, chaosproxy="0")
            (folder / "journal.jsonl").write_bytes(to_line(opened))
        os.utime(folder, (at, at))

    ended = chaosproxy("explain", "#1")

    assert (ended.code, ended.err) == (2, "out/new: no exchange and no call '#1'\n")
