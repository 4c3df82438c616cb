"""What a wrong file or flag gets: the place, the reason, a hint; nothing is started and nothing is left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.drill import Ended, chaosproxy, drill, small

pytestmark = pytest.mark.e2e

LINES_MAX = 25
GOOD = small()
FAULT = 'faults: [{"id": "cut", "target": "a", "at": "800ms", "do": {"type": "stream.truncate", "where": "token:3"}}]'


def faults(text: str) -> str:
    """The small experiment with this line for its faults."""
    return small(faults=None) + text + "\n"


def check_refused(ended: Ended, folder: Path) -> None:
    """Exit code 2, few words and no traceback; nothing was run."""
    assert ended.code == 2, ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert 1 <= len(ended.err.splitlines()) <= LINES_MAX
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (faults(FAULT.replace("truncate", "trunkate")), r"9:\d+", "did you mean 'stream.truncate'?"),
        (faults(FAULT.replace('"target"', '"traget"')), r"9:\d+", "did you mean 'target'?"),
        (
            faults(FAULT.replace("800ms", "800")),
            r"9:45",
            "expected a time with its unit, such as 250ms, 2s or 3m, got '800'",
        ),
        (GOOD + "on: {}\n", r"10:1", "on: unknown key"),
        (GOOD + "name: again\n", r"10:1", "name: repeated key; it stands in line 2 already"),
        (GOOD + 'vars: {"key": "${env:NOBODY_SETS_THIS}"}\n', r"10:\d+", "NOBODY_SETS_THIS"),
        (
            faults(
                'faults: [{"id": "x", "target": "a", "after": "y.healed", "do": {"type": "http.status"}},'
                ' {"id": "y", "target": "a", "after": "x.healed", "do": {"type": "http.status"}}]'
            ),
            r"9:46",
            "x waits for itself: x -> y -> x",
        ),
        (small(hypothesis=None) + "hypothesis: [failover_time(cutt) <= 2s]\n", r"9:\d+", "did you mean 'cut'?"),
        (GOOD.replace("{", "{{", 1), r"5:1", "not valid YAML"),
        ("", "", "the file is empty"),
    ],
    ids=[
        "unknown fault",
        "unknown key",
        "no unit",
        "on as a key",
        "repeated key",
        "missing variable of the environment",
        "cycle",
        "expectation on an unknown fault",
        "broken YAML",
        "empty",
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, place: str, words: str) -> None:
    """Its name, line and column, and what would be right."""
    ended = drill(tmp_path, text)

    check_refused(ended, tmp_path)
    assert re.search(rf"^drill\.yaml:{place}: " if place else "drill.yaml", ended.err, re.MULTILINE), ended.err
    assert words in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-D", "rsp=5"], "rsp"),
        (["-D", "rps"], "-D: expected NAME=VALUE, got 'rps'"),
        (["--inconclusive=no"], "--inconclusive: expected fail or warn, got 'no'"),
        (["--seed", "many"], "--seed"),
    ],
)
def test_a_wrong_flag(tmp_path: Path, words: list[str], said: str) -> None:
    """The flag and what it takes."""
    ended = drill(tmp_path, small(vars={"rps": "10"}), *words)

    check_refused(ended, tmp_path)
    assert said in ended.err


def test_a_folder(tmp_path: Path) -> None:
    """A directory is named as what it is."""
    (tmp_path / "drills").mkdir()
    ended = chaosproxy("run", "drills", cwd=tmp_path)

    check_refused(ended, tmp_path)
    assert ended.err == "drills is a directory; give an experiment file\n"


def test_results_without_a_place(tmp_path: Path) -> None:
    """A folder that cannot be made is told before anything is started."""
    (tmp_path / "file").touch()
    ended = drill(tmp_path, small(report={"dir": "file/results"}))

    check_refused(ended, tmp_path)
    assert ended.err.endswith("report.dir: cannot create file/results: not a directory\n")


def test_a_binary_file(tmp_path: Path) -> None:
    """Bytes that are no text are not shown."""
    (tmp_path / "drill.yaml").write_bytes(bytes(range(256)) * 16)
    ended = chaosproxy("run", "drill.yaml", cwd=tmp_path)

    check_refused(ended, tmp_path)
    assert ended.err == "drill.yaml: this is not a text file in UTF-8\n"


def test_a_control_character(tmp_path: Path) -> None:
    """A byte that no YAML file may have is named and not shown."""
    ended = drill(tmp_path, GOOD + "question: \x00\n")

    check_refused(ended, tmp_path)
    assert ended.err == "drill.yaml:10:11: a character that no YAML file may hold: U+0000\n"


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    """A near name among the shipped experiments is offered."""
    ended = chaosproxy("run", "frist-drill", cwd=tmp_path)

    check_refused(ended, tmp_path)
    assert "did you mean first-drill?" in ended.err


def test_a_file_of_prompts_that_does_not_exist(tmp_path: Path) -> None:
    """It is looked for before anything starts."""
    ended = drill(tmp_path, small(load={"prompts": "file:questions.txt"}))

    check_refused(ended, tmp_path)
    assert "questions.txt: no such file or directory" in ended.err
