"""``chaosproxy faults``."""

from __future__ import annotations

import json

from chaosproxy.faults import CATALOGUE
from tests.cli.command import chaosproxy


def test_all_faults_are_listed_by_room() -> None:
    """Every fault of the catalogue has a line, under the heading of its room."""
    said = chaosproxy("faults")

    listed = [line.split()[0] for line in said.out.splitlines() if line.startswith("  ")]
    assert said.code == 0
    assert sorted(listed) == sorted(fault.type for fault in CATALOGUE)
    assert said.out.startswith("admission: before the upstream is asked\n")


def test_in_a_pipe_each_fault_has_one_line() -> None:
    """So that grep finds name and summary together."""
    lines = chaosproxy("faults").out.splitlines()

    assert len([line for line in lines if line.startswith("  ")]) == len(CATALOGUE)


def test_one_fault_is_explained() -> None:
    """Drawing, symptom, settings with type, default and meaning, and how to ask for it in both places."""
    said = chaosproxy("faults", "sse.drop")

    assert said.code == 0
    for part in (
        "upstream  h f1 f2 f3 f4 f5 f6 end",
        "words are missing inside the answer",
        "each: whole number >= 1 (not set)",
        "never: list of terminal | usage | finish (default terminal,usage,finish)",
        "Takes every Nth event",
        "--fault 'sse.drop where=token:5'",
        'do: {type: sse.drop, where: "token:5"}',
    ):
        assert part in said.out


def test_a_misspelt_fault_gets_a_hint() -> None:
    """Exit code 2 and the name that was meant."""
    said = chaosproxy("faults", "sse.dorp")

    assert (said.code, said.out) == (2, "")
    assert "did you mean 'sse.drop'?" in said.err


def test_faults_are_found_by_their_symptom() -> None:
    """The ways in which a stream stops are different things, and all are among the first."""
    said = chaosproxy("faults", "--symptom", "stops in the middle")

    listed = [line.split()[0] for line in said.out.splitlines()]
    assert said.code == 0
    assert {"stream.fin", "stream.reset", "stream.truncate", "time.stall", "stream.cut_event"} <= {*listed[:12]}
    assert {"llm.early_stop", "llm.no_terminal", "stream.unclean_end"} <= {*listed}


def test_an_unknown_symptom_shows_all() -> None:
    """Nothing found is no error, and the reader sees what could have been asked."""
    said = chaosproxy("faults", "--symptom", "xyzzy")

    assert said.code == 0
    assert "no fault is described with the words of 'xyzzy'" in said.err
    assert len(said.out.splitlines()) == len(CATALOGUE)


def test_a_fault_and_a_symptom_exclude_each_other() -> None:
    """The two ask for different things."""
    assert chaosproxy("faults", "sse.drop", "--symptom", "slow").code == 2


def test_json() -> None:
    """A list of all, or one object."""
    everything = json.loads(chaosproxy("faults", "--json").out)
    one = json.loads(chaosproxy("faults", "partition", "--json").out)

    assert len(everything) == len(CATALOGUE)
    assert one in everything
    assert {"name", "room", "summary", "settings", "symptom", "timeline"} <= one.keys()
