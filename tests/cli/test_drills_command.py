"""``chaosproxy drills``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chaosproxy import shipped
from tests.cli.command import chaosproxy


def test_all_drills_are_listed_with_their_questions() -> None:
    """By kind, and each says how it is run."""
    said = chaosproxy("drills")

    assert said.code == 0
    assert all(f"{kind}: " in said.out for kind in shipped.KINDS)
    assert "  chaosproxy run streaming-adapter/fallback\n      Does the client get its stream" in said.out
    assert all(drill.question for drill in shipped.drills()), "a drill without a question"


def test_one_kind_as_json() -> None:
    """Experiments, tests and scripts, each with its file."""
    said = chaosproxy("drills", "streaming-adapter", "--json")
    found = {drill["name"]: drill for drill in json.loads(said.out)}

    assert {drill["kind"] for drill in found.values()} == {"streaming-adapter"}
    assert found["streaming-adapter/tools"]["command"] == "chaosproxy run streaming-adapter/tools"
    assert found["streaming-adapter/manual.sh"]["command"].startswith("bash ")
    assert all(Path(drill["path"]).is_file() for drill in found.values())


def test_a_misspelt_kind() -> None:
    """With what was meant."""
    said = chaosproxy("drills", "streaming-adaptor")

    assert said.code == 2
    assert "did you mean 'streaming-adapter'?" in said.err


@pytest.mark.parametrize("drill", [each for each in shipped.drills() if each.path.suffix == ".yaml"], ids=str)
def test_a_shipped_drill_is_found_by_its_name(drill: shipped.Drill) -> None:
    """What the list says is what `run` takes."""
    assert shipped.find(drill.name) == drill.path
    assert drill.path.parent.joinpath("README.md").is_file()
