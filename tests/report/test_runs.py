"""Which folders are runs, what each was, and what may go."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from chaosproxy.journal.records import AnyRecord, Ended, Opened, Run, to_line
from chaosproxy.report.files import write_reports, write_summary
from chaosproxy.report.runs import STRANGE_HOST_S, list_runs, remove_runs, runs_text, to_prune
from chaosproxy.steady_state.findings import Health, Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.series import cell_of, series_of

DAY_S = 86_400.0
NOW_S = 1_800_000_000.0


@pytest.fixture
def dead_pid() -> int:
    """Of a process that has ended."""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    return pid


def verdict(name: str) -> Verdict:
    """A run that held."""
    health = Health(lag_bound_s=0.25)
    return Verdict(
        verdict=State.HELD,
        exit_code=0,
        headline="",
        ended="completed",
        name=name,
        question="",
        run_id=name,
        health=health,
    )


def make(
    out: Path,
    name: str,
    pid: int,
    *,
    age_s: float = 0.0,
    host: str = "",
    piece: bool = False,
    ended: bool = True,
    report: bool = True,
) -> Path:
    """A run's folder as a runner leaves it."""
    folder = out / name
    folder.mkdir(parents=True)
    records: list[AnyRecord] = [
        Opened(
            process="runner", host=host or socket.gethostname(), pid=pid, mono=5, wall=NOW_S - age_s, chaosproxy="0"
        ),
        Run(id=name, name="drill", seed=7, nonce="n", file="f", file_sha256=""),
    ]
    if ended:
        records.append(Ended(at=35, how="completed"))
    (folder / ("runner.ndjson" if piece else "journal.jsonl")).write_bytes(b"".join(map(to_line, records)))
    (folder / "proxy.log").touch()
    if report:
        write_reports(verdict(name), folder, ["json", "junit"])
    return folder


class TestList:
    """What is said of a folder."""

    def test_newest_first(self, tmp_path: Path, dead_pid: int) -> None:
        """With name, verdict, seed and duration."""
        make(tmp_path, "a", dead_pid, age_s=2 * DAY_S)
        make(tmp_path, "b", dead_pid, age_s=DAY_S)

        first, second = list_runs(tmp_path, NOW_S)

        assert [Path(run.directory).name for run in (first, second)] == ["b", "a"]
        assert (first.name, first.verdict, first.seed, first.duration_s) == ("drill", "held", 7, 30)
        assert (
            runs_text([first]).splitlines()[1] == f"2027-01-14 08:00:00  drill  held     7     30s   {tmp_path / 'b'}"
        )

    def test_what_is_no_run(self, tmp_path: Path, dead_pid: int) -> None:
        """Folders of others, journals of serve, links, files."""
        real = make(tmp_path / "elsewhere", "real", dead_pid)
        out = tmp_path / "out"
        (out / "photos").mkdir(parents=True)
        (out / "photos" / "journal.jsonl").write_text("dear diary\n")
        (out / "served").mkdir()
        opened = Opened(process="proxy", host="h", pid=1, mono=0, wall=0, chaosproxy="0")
        (out / "served" / "journal.jsonl").write_bytes(to_line(opened))
        (out / "link").symlink_to(real)
        (out / "file").touch()

        assert list_runs(out, NOW_S) == []
        assert list_runs(tmp_path / "nowhere", NOW_S) == []

    def test_under_way(self, tmp_path: Path) -> None:
        """Pieces, or a journal without its report yet, and a runner that lives."""
        make(tmp_path, "a", os.getpid(), piece=True, ended=False, report=False)
        make(tmp_path, "b", os.getpid(), report=False)

        assert [run.verdict for run in list_runs(tmp_path, NOW_S)] == ["running", "running"]

    def test_a_series_that_goes_on(self, tmp_path: Path) -> None:
        """The run is over though its process lives: the next one is at work there."""
        make(tmp_path, "a", os.getpid())

        assert [run.verdict for run in list_runs(tmp_path, NOW_S)] == ["held"]

    def test_killed(self, tmp_path: Path, dead_pid: int) -> None:
        """Pieces, and nobody who would finish them."""
        make(tmp_path, "a", dead_pid, piece=True, ended=False, report=False)

        (run,) = list_runs(tmp_path, NOW_S)
        assert (run.verdict, run.duration_s) == ("killed", None)

    def test_a_runner_of_another_host(self, tmp_path: Path, dead_pid: int) -> None:
        """Nobody here can ask for its process, so its files must have been still for long."""
        folder = make(tmp_path, "a", dead_pid, host="elsewhere", piece=True, ended=False, report=False)
        for file in folder.iterdir():
            os.utime(file, (NOW_S, NOW_S))

        assert [run.verdict for run in list_runs(tmp_path, NOW_S + STRANGE_HOST_S - 1)] == ["running"]
        assert [run.verdict for run in list_runs(tmp_path, NOW_S + STRANGE_HOST_S + 1)] == ["killed"]


class TestPrune:
    """What goes, and what never does."""

    def test_which(self, tmp_path: Path, dead_pid: int) -> None:
        """Beyond the newest, older than an age; with both, beyond both."""
        for days in range(4):
            make(tmp_path, f"d{days}", dead_pid, age_s=days * DAY_S)
        runs = list_runs(tmp_path, NOW_S)

        def names(keep: int | None, older_than_s: float | None) -> list[str]:
            old = to_prune(runs, keep=keep, older_than_s=older_than_s, now_s=NOW_S)
            return [Path(run.directory).name for run in old]

        assert names(1, None) == ["d1", "d2", "d3"]
        assert names(None, 1.5 * DAY_S) == ["d2", "d3"]
        assert names(3, 1.5 * DAY_S) == ["d3"]
        assert names(1, 2.5 * DAY_S) == ["d3"]

    def test_only_runs_go(self, tmp_path: Path, dead_pid: int) -> None:
        """A run that is under way and one with a file of somebody's stay, and so does what is no run."""
        make(tmp_path, "old", dead_pid)
        make(tmp_path, "busy", os.getpid(), piece=True, ended=False, report=False)
        (make(tmp_path, "noted", dead_pid) / "notes.txt").write_text("mine")
        (make(tmp_path, "nested", dead_pid) / "x.log.d").mkdir()
        (tmp_path / "photos").mkdir()

        removed, kept = remove_runs(list_runs(tmp_path, NOW_S))

        assert removed == [str(tmp_path / "old")]
        assert {Path(one.directory).name: one.why for one in kept} == {
            "busy": "it is under way",
            "noted": "it holds what no run writes: notes.txt",
            "nested": "it holds what no run writes: x.log.d",
        }
        assert {path.name for path in tmp_path.iterdir()} == {"busy", "noted", "nested", "photos"}
        assert len(list((tmp_path / "noted").iterdir())) == 5

    def test_what_cannot_be_removed_stays_a_run(
        self, tmp_path: Path, dead_pid: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And is told with the reason."""
        make(tmp_path, "a", dead_pid)

        def refuse(path: Path, missing_ok: bool = False) -> None:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", refuse)
            removed, kept = remove_runs(list_runs(tmp_path, NOW_S))

        assert (removed, [one.why for one in kept]) == ([], ["permission denied"])
        assert len(list_runs(tmp_path, NOW_S)) == 1

    def test_a_link_is_not_followed(self, tmp_path: Path, dead_pid: int) -> None:
        """Not even one that is called like a file of ours."""
        (tmp_path / "precious").write_text("mine")
        (make(tmp_path / "out", "a", dead_pid) / "x.log").symlink_to(tmp_path / "precious")

        removed, _ = remove_runs(list_runs(tmp_path / "out", NOW_S))

        assert removed == []
        assert (tmp_path / "precious").read_text() == "mine"

    def test_a_summary_goes_with_its_last_run(self, tmp_path: Path, dead_pid: int) -> None:
        """And no earlier."""
        done = [(str(make(tmp_path, name, dead_pid, age_s=age)), verdict(name)) for name, age in (("a", 9), ("b", 1))]
        summary = tmp_path / "series-20261121-000000-abcdef"
        cell = cell_of(("f", "drill", {}), done, planned=2, min_pass_rate=None)
        write_summary(series_of([cell], None), summary)
        newest, oldest = list_runs(tmp_path, NOW_S)

        assert remove_runs([oldest])[0] == [oldest.directory]
        assert summary.exists()
        assert remove_runs([newest])[0] == [newest.directory, str(summary)]
        assert list(tmp_path.iterdir()) == []
