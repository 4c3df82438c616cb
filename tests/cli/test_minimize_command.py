"""``chaosproxy minimize`` before anything is run: what it cannot begin with, and why."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from chaosproxy.journal.records import AnyRecord, Ended, Mark, Opened, Run, to_line
from chaosproxy.journal.traffic import Call, CallError
from tests.cli.command import chaosproxy

TEXT = """\
experiment: v1
topology: {entry: "http://127.0.0.1:1", backends: {a: {upstream: "http://127.0.0.1:2"}}}
timeline: {warmup: 1s, lasts: 9s}
faults: [{id: cut, target: a, at: 1s, do: {type: stream.truncate}, min_hits: 0}]
hypothesis: [success >= 100%, duplicated == 0]
"""


def failed_call(number: int) -> Call:
    """One that ended with an error."""
    return Call(
        id=f"c{number}",
        load="load",
        number=number,
        api="openai.chat",
        stream=True,
        model="m",
        intended_at=12.0,
        sent_at=12.0,
        end_at=12.5,
        status=500,
        error=CallError(kind="http"),
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run of drill.yaml in which a call failed; it took 11 s."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drill.yaml").write_text(TEXT, encoding="utf-8")
    folder = tmp_path / "out/drill-1"
    folder.mkdir(parents=True)
    write(folder, failed_call(1))
    return folder


def write(folder: Path, *calls: Call) -> None:
    """A whole journal with these calls."""
    digest = sha256(TEXT.encode()).hexdigest()
    records: list[AnyRecord] = [
        Opened(version=2, process="runner", host="h", pid=1, mono=10.0, wall=0.0, chaosproxy="x"),
        Run(id="drill-1", name="drill", seed=4, nonce="n", file="drill.yaml", file_sha256=digest),
        Mark(name="warmup", at=10.0),
        Mark(name="origin", at=11.0),
        *calls,
        Mark(name="over", at=20.0),
        Ended(at=21.0, how="completed"),
    ]
    (folder / "journal.jsonl").write_bytes(b"".join(map(to_line, records)))


def test_a_run_in_which_nothing_deviated(run: Path) -> None:
    """There is nothing to keep."""
    write(run)

    ended = chaosproxy("minimize", "out/drill-1")

    assert ended.code == 2
    assert "out/drill-1: no expectation deviated in that run (inconclusive: " in ended.err


def test_an_expectation_that_did_not_deviate(run: Path) -> None:
    """Those that did are named."""
    ended = chaosproxy("minimize", "--expect", "succes")

    assert ended.code == 2
    assert "--expect: 'succes' did not deviate in that run, did you mean 'success'?; deviated: success" in ended.err


def test_a_file_that_was_changed_since(run: Path) -> None:
    """It might deviate for another reason; the file as it was can be named, from anywhere."""
    Path("drill.yaml").write_text(TEXT + "name: other\n", encoding="utf-8")
    assert "drill.yaml was changed since that run; name the file as it was with --file" in chaosproxy("minimize").err

    Path("kept.yaml").write_text(TEXT, encoding="utf-8")
    ended = chaosproxy("minimize", "--file", "kept.yaml", "--budget", "1s")

    assert "--budget: one run takes about 11.0 s, got 1 s" in ended.err


def test_a_file_that_is_gone(run: Path) -> None:
    """Its name stands in the journal."""
    Path("drill.yaml").unlink()

    ended = chaosproxy("minimize", str(run / "journal.jsonl"))

    assert (ended.code, ended.err) == (
        2,
        "the file of that run, drill.yaml, is not here; name the file as it was with --file\n",
    )


def test_the_file_is_found_as_from_the_folder_of_the_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command works from anywhere."""
    elsewhere = run.parents[1] / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    ended = chaosproxy("minimize", str(run), "--budget", "1s")

    assert "--budget: one run takes about 11.0 s" in ended.err


def test_nothing_is_written_over(run: Path) -> None:
    """Said before the search begins."""
    Path("drill-minimal.yaml").touch()

    ended = chaosproxy("minimize")

    assert ended.code == 2
    assert "drill-minimal.yaml is there already; name another file with --output" in ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--budget", "10"), "--budget: expected a time with its unit, such as 250ms, 2s or 3m, got '10'"),
        (("--output", "nowhere/x.yaml"), "nowhere/x.yaml: there is no such folder, or it cannot be written to"),
        (("out",), "out/journal.jsonl: no such file or directory"),
    ],
)
def test_wrong_usage(run: Path, words: tuple[str, ...], message: str) -> None:
    """In words."""
    ended = chaosproxy("minimize", *words)

    assert ended.code == 2
    assert message in ended.err
