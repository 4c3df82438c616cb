"""The catalogue as text."""

from __future__ import annotations

import pytest
import yaml

from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.faults.docs import FaultDoc, Setting, catalogue
from chaosproxy.plan.flat import parse_flat
from chaosproxy.report.catalogue import ROOMS, examples, explanation, overview

DOCS = catalogue()

FILE = """
experiment: v1
topology: {entry: "http://127.0.0.1:1", backends: {primary: {upstream: "http://127.0.0.1:2"}}}
hypothesis: [success >= 0%]
faults:
"""


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.name)
def test_examples_can_be_used_as_they_are(doc: FaultDoc) -> None:
    """On the command line and in an experiment file."""
    flag, entry = examples(doc)

    assert parse_flat(flag)["do"]["type"] == doc.name
    assert yaml.safe_load(entry)[0]["do"]["type"] == doc.name
    assert parse_experiment(f"{FILE}  {entry}\n", "drill.yaml").faults[0].do.type == doc.name


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.name)
def test_text_keeps_to_the_width_of_the_terminal(doc: FaultDoc) -> None:
    """But for settings' types and commands, which are copied."""
    prose = [line for line in explanation(doc, 72).splitlines() if not line.startswith("  ")]

    assert max(map(len, prose)) <= 80


def test_the_overview_wraps_under_its_column() -> None:
    """On a terminal; names stay alone on the left."""
    lines = overview(DOCS, 70).splitlines()

    assert max(map(len, lines)) <= 70
    assert any(line.startswith(" " * 18) for line in lines)


def test_every_room_says_what_its_faults_share() -> None:
    """A room without a sentence would break the overview."""
    assert {doc.room for doc in DOCS} <= ROOMS.keys()


def test_a_fault_without_settings_has_an_example_without_any() -> None:
    """And one whose settings have no telling value, too."""
    silent = Setting("text", "text", "", "Any text.", "")
    doc = FaultDoc("x.y", "timing", "Do it.", "", (silent,), "nothing", "client")

    assert examples(doc)[0] == "x.y"
    assert "do: {type: x.y}" in examples(doc)[1]
    assert "no settings" in explanation(FaultDoc("x.y", "timing", "Do it.", "", (), "nothing", "client"), None)
