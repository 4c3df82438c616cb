"""``chaosproxy plan``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import chaosproxy


@pytest.mark.parametrize("name", ["first-drill", "lost-events", "nobody-hit", "real/fakeai"])
def test_shipped_experiments_are_valid(name: str) -> None:
    """Each has a timeline, expected hits and samples; findings do not fail it."""
    said = chaosproxy("plan", name)

    assert said.code == 0
    assert all(heading in said.out for heading in ("timeline", "faults", "hypothesis", "findings"))


def test_it_says_what_to_expect() -> None:
    """Expected hits of a fault, the samples of an expectation, and bars on the timeline."""
    said = chaosproxy("plan", "first-drill", "-D", "rps=100", "--seed", "7")

    assert "about 2600 calls, seed 7" in said.out
    assert "about 800 hits, min_hits 2" in said.out
    assert "20% of about 700 requests" in said.out
    assert "about 400 calls, needs 1" in said.out
    assert "...########" in said.out


def test_a_fault_that_meets_nobody_is_a_finding() -> None:
    """The reader is warned before the run is inconclusive."""
    assert "this fault may meet nobody" in chaosproxy("plan", "nobody-hit").out


def test_a_wrong_file_is_refused_with_all_its_mistakes(tmp_path: Path) -> None:
    """Exit code 2; file, line and column of each."""
    file = tmp_path / "drill.yaml"
    file.write_text(
        "experiment: v1\n"
        "topology: {entry: 'http://h', backends: {a: {upstream: 'http://h'}}}\n"
        "faults:\n"
        "  - {target: b, at: 5, do: {type: sse.drop, ech: 3}}\n"
        "hypothesis: [success >= 95]\n",
        encoding="utf-8",
    )

    said = chaosproxy("plan", str(file))

    assert (said.code, said.out) == (2, "")
    assert f"{file}:4:21: faults[0].at: expected a time with its unit" in said.err
    assert "faults[0].do.ech: unknown key, did you mean 'each'?" in said.err
    assert f"{file}:5:14: hypothesis[0]: success is compared with a share" in said.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("first-dril", "did you mean first-drill?"),
        (".", "is a directory"),
    ],
)
def test_a_file_that_is_none(name: str, words: str) -> None:
    """A misspelt name and a directory, in words."""
    said = chaosproxy("plan", name)

    assert said.code == 2
    assert words in said.err


def test_an_unknown_variable_is_refused() -> None:
    """-D of a variable that the file does not have."""
    said = chaosproxy("plan", "first-drill", "-D", "rsp=3")

    assert said.code == 2
    assert "rps" in said.err
