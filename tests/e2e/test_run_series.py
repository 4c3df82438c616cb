"""Several runs in one go, as a user starts them."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from chaosproxy.journal.reading import read_journal
from chaosproxy.journal.records import FaultEdge, Run
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.series import Series
from tests.e2e.drill import chaosproxy, family, running, small, write

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SHORT = {"warmup": "300ms", "lasts": "1500ms"}
CUT = {
    "id": "cut",
    "target": "a",
    "at": "300ms",
    "lasts": "700ms",
    "do": {"type": "stream.truncate", "where": "token:3"},
}


def quick(**sections: object) -> str:
    """A drill of two seconds."""
    return small(**{"timeline": SHORT, "faults": [CUT], **sections})


def summary(folder: Path) -> tuple[Series, Path]:
    """The only one in a folder."""
    (found,) = (folder / "out").glob("series-*")
    return Series.model_validate_json((found / "summary.json").read_text("utf-8")), found


def test_files_and_repeats(tmp_path: Path) -> None:
    """Each run has its own folder and seed; one summary and one JUnit file are for all."""
    (tmp_path / "other.yaml").write_text(quick(name="other", hypothesis=["success >= 100%"]), encoding="utf-8")
    ended = chaosproxy("run", write(tmp_path, quick()), "other.yaml", "--repeat", "2", "--seed", "40", cwd=tmp_path)

    series, folder = summary(tmp_path)
    assert ended.code == series.exit_code == 1, ended.err
    assert [(cell.name, cell.held, [run.seed for run in cell.runs]) for cell in series.cells] == [
        ("small", 2, [40, 41]),
        ("other", 0, [40, 41]),
    ]
    runs = [run for cell in series.cells for run in cell.runs]
    reports = [Verdict.model_validate_json((tmp_path / run.directory / "report.json").read_text()) for run in runs]
    assert [report.seed for report in reports] == [40, 41, 40, 41]
    assert len({run.directory for run in runs}) == 4
    assert len(ET.parse(folder / "junit.xml").getroot()) == 2  # noqa: S314 - we wrote it ourselves
    assert "run 4 of 4: other, seed 41" in ended.out
    assert "NOT PASSED: held 2 of 4 runs" in ended.out


def test_a_sweep_can_be_judged_and_run_again(tmp_path: Path) -> None:
    """The journal knows its values: `check` gives the same verdict, and the replay line repeats them."""
    sweep = ("--sweep", "hypothesis[0]=success >= 30%,success >= 100%")
    ended = chaosproxy("run", write(tmp_path, quick()), *sweep, "--json", cwd=tmp_path)

    series = Series.model_validate(json.loads(ended.out))
    assert [cell.passed for cell in series.cells] == [True, False], ended.err
    assert len({run.seed for cell in series.cells for run in cell.runs}) == 1
    for cell in series.cells:
        (run,) = cell.runs
        again = chaosproxy("check", run.directory, "drill.yaml", cwd=tmp_path)
        assert again.out == (tmp_path / run.directory / "report.json").read_text("utf-8")
        assert (again.code, again.err) == (run.exit_code, "")
        lines = (tmp_path / run.directory / "journal.jsonl").read_text("utf-8").splitlines()
        (record,) = (record for record in read_journal(lines).records if isinstance(record, Run))
        assert record.settings == cell.settings
        assert f"--sweep 'hypothesis[0]={cell.settings['hypothesis[0]']}'" in (run.replay or "")


def test_a_fixed_folder_is_shared_by_none(tmp_path: Path) -> None:
    """A report.dir that is always the same gets a folder for each run."""
    text = quick(report={"dir": "results/here"})
    ended = chaosproxy("run", write(tmp_path, text), "--repeat", "2", "--min-pass-rate", "50%", cwd=tmp_path)

    assert ended.code == 0, ended.err
    assert len(list((tmp_path / "results/here").glob("*/report.json"))) == 2


def test_ctrl_c_heals_and_summarises(tmp_path: Path) -> None:
    """The current run heals, no other one is started, what was done is summarised: 130."""
    fault = {**CUT, "lasts": "30s"}
    text = small(timeline={"warmup": "300ms", "lasts": "40s"}, faults=[fault], abort=["elapsed > 80s"])
    with running(tmp_path, text, "--repeat", "3", "--min-pass-rate", "10%") as run:
        run.until("cut applied")
        run.process.send_signal(signal.SIGINT)
        ended = run.ended()

    series, folder = summary(tmp_path)
    assert (ended.code, series.exit_code, series.runs, series.planned) == (130, 130, 1, 3), ended.err
    (only,) = series.cells[0].runs
    lines = (tmp_path / only.directory / "journal.jsonl").read_text("utf-8").splitlines()
    edges = [record.edge for record in read_journal(lines).records if isinstance(record, FaultEdge)]
    assert edges == ["applied", "healed"]
    assert "held 0 of 1 runs, 2 of 3 were not started" in ended.out
    assert "runs were not started" in (folder / "junit.xml").read_text("utf-8")
    assert "Traceback" not in ended.err
    assert family(run.mark) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sweep", "faults.cot.lasts=1s,2s"], "no entry of faults has the id 'cot', did you mean 'cut'?"),
        (["--sweep", "faults.cut.lasts"], "--sweep: expected PATH=VALUE,VALUE..."),
        (["--min-pass-rate", "0%"], "--min-pass-rate: 0% would pass whatever happens"),
        (["--min-pass-rate", "0.9"], "--min-pass-rate: expected a share with its percent sign"),
        (["-D", "x=1", "--sweep", "vars.x=1,2"], "-D x would hide --sweep vars.x"),
        (["--sweep", "seed=1,2"], "--sweep seed: the values of a sweep share their seeds"),
        (["nowhere.yaml"], "nowhere.yaml: no such file"),
    ],
)
def test_mistakes_start_nothing(tmp_path: Path, words: list[str], said: str) -> None:
    """All files are read before the first run."""
    ended = chaosproxy("run", write(tmp_path, quick(vars={"x": "1"})), *words, cwd=tmp_path)

    assert ended.code == 2
    assert said in ended.err
    assert not (tmp_path / "out").exists()
