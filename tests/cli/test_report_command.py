"""``chaosproxy report`` and ``chaosproxy compare`` in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chaosproxy.journal.records import to_line
from chaosproxy.steady_state.verdict import judge, verdict_json
from tests.cli.command import chaosproxy
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge

Leave = Callable[..., Path]


@pytest.fixture
def leave(tmp_path: Path) -> Leave:
    """Writes what a run leaves into a folder; ``lies`` of its calls are deceived."""

    def leave(name: str, lies: int = 0, experiment: str = "drill", run_id: str = "r1") -> Path:
        drill = Drill()
        drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
        drill.traffic(0, 60)
        drill.exchange("hit", "primary", 15.5, hit="cut")
        drill.call("hit", 15.5)
        for number in range(lies):
            drill.exchange(f"lied-{number}", "primary", 12.5, hit="cut", sent=cut_edge(ORIGIN + 12.5))
            drill.call(f"lied-{number}", 12.5, CUT)
        drill.expect("silent_truncated == 0")
        verdict = judge(drill.journal(), drill.claims).model_copy(update={"name": experiment, "run_id": run_id})
        folder = tmp_path / name
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(b"".join(map(to_line, drill.journal().records)))
        (folder / "report.json").write_text(verdict_json(verdict))
        return folder

    return leave


def _kill(run: Path) -> None:
    """Leave what an attached run leaves whose runner was killed: its own records, and those of the proxy."""
    journal = run / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    ours = [line for line in lines if '"type":"exchange"' not in line]
    assert '"type":"opened"' in ours[0]
    (run / "runner.ndjson").write_text("".join(ours))
    (run / "proxy.ndjson").write_text("".join(line for line in lines if line not in ours))
    (run / "load.ndjson").touch()
    journal.unlink()
    (run / "report.json").unlink()


class TestReport:
    """From a journal to a page."""

    def test_it_is_written_beside_the_journal(self, leave: Leave) -> None:
        """And its place is printed."""
        run = leave("run")

        ended = chaosproxy("report", str(run / "journal.jsonl"))

        assert (ended.code, ended.out) == (0, f"{run / 'report.html'}\n")
        assert "<title>HELD drill</title>" in (run / "report.html").read_text()

    def test_it_is_written_where_it_is_wanted(self, leave: Leave, tmp_path: Path) -> None:
        """The run's folder stands for its journal."""
        run = leave("run")

        assert chaosproxy("report", str(run), "-o", str(tmp_path / "x.html")).code == 0
        assert (tmp_path / "x.html").exists()
        assert not (run / "report.html").exists()

    def test_a_verdict_of_another_run_is_not_shown(self, leave: Leave) -> None:
        """Better none than a false one."""
        run = leave("run", run_id="r2")

        assert chaosproxy("report", str(run)).code == 0
        assert "NOT JUDGED" in (run / "report.html").read_text()

    def test_it_can_show_the_differences_to_another_run(self, leave: Leave) -> None:
        """In part 6."""
        run, other = leave("run", lies=2), leave("other")

        assert chaosproxy("report", str(run), "--compare", str(other)).code == 0
        assert "calls with outcome silent_truncated" in (run / "report.html").read_text()

    def test_a_torn_journal_has_a_page(self, leave: Leave) -> None:
        """All but its last line is shown."""
        run = leave("run")
        (run / "journal.jsonl").write_bytes((run / "journal.jsonl").read_bytes()[:-9])

        assert chaosproxy("report", str(run)).code == 0

    def test_pieces_of_a_killed_run_have_a_page(self, leave: Leave) -> None:
        """Not judged, but shown."""
        run = leave("run")
        (run / "report.json").unlink()
        (run / "journal.jsonl").rename(run / "proxy.ndjson")

        ended = chaosproxy("report", str(run))

        assert ended.code == 0
        assert "NOT JUDGED" in (run / "report.html").read_text()

    @pytest.mark.parametrize("named", ["", "journal.jsonl"])
    def test_pieces_without_an_opening_have_a_page(self, leave: Leave, named: str) -> None:
        """What a runner heard from a proxy that ran already begins with an exchange; the runner's piece opens it."""
        run = leave("run")
        _kill(run)

        ended = chaosproxy("report", str(run / named))

        assert ended.code == 0, ended.err
        assert "NOT JUDGED" in (run / "report.html").read_text()
        explained = chaosproxy("explain", "hit", "--journal", str(run / named))
        assert explained.code == 0, explained.err

    def test_pieces_without_any_opening_are_no_journal(self, leave: Leave) -> None:
        """One of them has to say what it is."""
        run = leave("run")
        _kill(run)
        (run / "runner.ndjson").unlink()
        (run / "load.ndjson").unlink()

        ended = chaosproxy("report", str(run))

        assert ended.code == 2
        assert "proxy.ndjson: line 1: not a journal: it does not begin with an opening record" in ended.err

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "it is empty"),
            ("x\n", "line 1: not a journal"),
            (
                '{"type":"opened","process":"p","host":"h","pid":1,"mono":1,"wall":1,"chaosproxy":"0"}\nx\n{}\n',
                "line 2",
            ),
        ],
    )
    def test_what_is_no_journal_is_refused_in_words(self, tmp_path: Path, text: str, words: str) -> None:
        """With the line."""
        path = tmp_path / "journal.jsonl"
        path.write_text(text)

        ended = chaosproxy("report", str(path))

        assert ended.code != 0
        assert words in ended.err
        assert "Traceback" not in ended.err

    def test_what_cannot_be_read_or_written_is_said(self, leave: Leave, tmp_path: Path) -> None:
        """In words, as a mistake of usage."""
        run = leave("run")

        for words in (["report", str(tmp_path / "none.jsonl")], ["report", str(run), "-o", str(tmp_path / "no" / "x")]):
            ended = chaosproxy(*words)
            assert (ended.code, "no such file or directory" in ended.err) == (2, True)


class TestCompare:
    """Two runs side by side."""

    def test_a_regression_is_an_exit_code(self, leave: Leave) -> None:
        """And the lines say which."""
        ended = chaosproxy("compare", str(leave("good")), str(leave("bad", lies=2)))

        assert ended.code == 1
        assert ended.out.splitlines()[0].split() == ["regression", "verdict", "held", "->", "deviated"]

    def test_json_is_for_programs(self, leave: Leave) -> None:
        """The same differences."""
        ended = chaosproxy("compare", "--json", str(leave("bad", lies=2)), str(leave("good")))

        found = json.loads(ended.out)
        assert (ended.code, found["exit_code"]) == (0, 0)
        assert {change["kind"] for change in found["changes"]} == {"better"}

    def test_two_experiments_cannot_be_compared(self, leave: Leave) -> None:
        """They ask different questions."""
        ended = chaosproxy("compare", str(leave("one")), str(leave("two", experiment="another")))

        assert ended.code == 2
        assert "two experiments cannot be compared" in ended.err

    @pytest.mark.parametrize(
        ("text", "words"), [(None, "no such file"), ("{}", "not the report.json"), ("x", "not the")]
    )
    def test_what_is_no_run_is_refused_in_words(
        self, leave: Leave, tmp_path: Path, text: str | None, words: str
    ) -> None:
        """With the file."""
        path = tmp_path / "other.json"
        if text is not None:
            path.write_text(text)

        ended = chaosproxy("compare", str(leave("run")), str(path))

        assert (ended.code, words in ended.err) == (2, True)
