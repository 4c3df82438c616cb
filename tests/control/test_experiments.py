"""Experiments of a folder: what is offered, one at a time, and what becomes of one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chaosproxy.control.desk import NoSuch
from chaosproxy.control.experiments import ExperimentFolder
from chaosproxy.control.page.messages import Trial
from chaosproxy.errors import UserError
from chaosproxy.plan.plan import Conflict
from tests.control.page.live_plane import live_plane
from tests.functional.wire_kit import answers, plain

LONG = """\
experiment: v1
name: long
topology: {entry: "${listener.a}", backends: {a: {listen: "127.0.0.1:0", upstream: "http://127.0.0.1:1"}}}
load: {id: chat, arrival: {rate: 1/s}}
timeline: {warmup: 100ms, lasts: 200s}
faults: [{id: cut, target: a, at: 100s, lasts: 1s, do: {type: conn.reset}}]
gate: {window: 99s, expect: [success >= 0%]}
hypothesis: [success >= 0%]
abort: [elapsed > 10m, {when: error_rate > 99%, for: 200s}]
"""


def test_only_the_files_of_the_folder_are_offered(tmp_path: Path) -> None:
    """YAML files, in order."""
    for name in ("b.yaml", "a.yml", "notes.md"):
        (tmp_path / name).touch()

    assert ExperimentFolder(tmp_path, None).files() == ("a.yml", "b.yaml")


def test_a_folder_that_is_none_is_said_at_the_start(tmp_path: Path) -> None:
    """And not when somebody wants to start something."""
    with pytest.raises(UserError, match=r"--experiments: .*/nowhere is not a folder"):
        ExperimentFolder(tmp_path / "nowhere", None)


@pytest.mark.parametrize("name", ["c.yaml", "../secret.yaml", "/etc/passwd", "sub/x.yaml", "", "--help"])
async def test_nothing_outside_of_the_folder_is_started(tmp_path: Path, name: str) -> None:
    """Only names that it offers are known."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.yaml").touch()
    folder = ExperimentFolder(tmp_path, None)

    with pytest.raises(NoSuch):
        await folder.start(name)
    with pytest.raises(NoSuch, match="no experiment is under way"):
        folder.stop()


async def test_what_is_wrong_with_a_file_is_shown(tmp_path: Path) -> None:
    """In the words of the command, printable."""
    (tmp_path / "wrong.yaml").write_text('"\\e[31mnme": x\n')
    async with ExperimentFolder(tmp_path, None) as folder:
        folder.control = "http://127.0.0.1:9"
        await folder.start("wrong.yaml")
        trial = await _ended(folder)

    assert trial.exit_code == 2
    assert trial.verdict.startswith("not started")
    assert any("unknown key" in line for line in trial.said)
    assert not any("\x1b" in line for line in trial.said)


@pytest.mark.slow
async def test_one_at_a_time_and_it_heals_when_the_proxy_ends(tmp_path: Path) -> None:
    """A second one is refused; the end of the context ends the run, which gives its claim back."""
    (tmp_path / "long.yaml").write_text(LONG)
    folder = ExperimentFolder(tmp_path, "a-token-for-this-test")
    async with live_plane(answers(plain(b"{}")), token="a-token-for-this-test", folder=folder) as here:
        folder.control = here.url
        async with folder:
            await folder.start("long.yaml")
            with pytest.raises(Conflict, match=r"long.yaml is under way"):
                await folder.start("long.yaml")
            async with asyncio.timeout(60):
                while not here.desk.status().runs:
                    assert (trial := folder.state().trial) is None or trial.exit_code is None, trial
                    await asyncio.sleep(0.05)
            (programme,) = here.desk.status().runs.values()
        assert here.desk.status().claims == {}
        trial = folder.state().trial

    assert (programme.name, [fault.id for fault in programme.faults]) == ("long", ["cut"])
    assert (programme.faults[0].at_s, programme.lasts_s) == (100.0, 200.0)
    assert trial is not None
    assert trial.exit_code == 143


async def _ended(folder: ExperimentFolder) -> Trial:
    async with asyncio.timeout(60):
        while True:
            trial = folder.state().trial
            if trial is not None and trial.exit_code is not None:
                return trial
            await asyncio.sleep(0.05)
