from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from chaosproxy.experiment.schema import json_schema
from chaosproxy.faults import CATALOGUE
from chaosproxy.faults.base import Fault
from tests.experiment.files import LAB, SHIPPED, SMALLEST

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
BAD = Path(__file__).parent / "bad"
MISTYPED = [
    "empty-sections",
    "everything-at-once",
    "misplaced-keys",
    "missing-keys",
    "misspelt-keys",
    "not-yet",
    "on-as-a-key",
    "words-of-other-tools",
    "wrong-units",
    "wrong-values",
    "yaml-traps",
]


def mistakes(value: Any) -> list[str]:
    """Where a value breaks the schema."""
    return sorted(".".join(map(str, error.absolute_path)) for error in VALIDATOR.iter_errors(value))


def changed(**sections: Any) -> dict[str, Any]:
    """The lab's file with other sections, as an editor reads it."""
    return {**LAB, **sections}


def every(schema: Any) -> list[dict[str, Any]]:
    """All schemas inside a schema."""
    found = [schema] if isinstance(schema, dict) else []
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        found += every(inner)
    return found


class TestTheSchema:
    def test_is_a_schema(self) -> None:
        """Of the draft that it names."""
        assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Draft202012Validator.check_schema(SCHEMA)

    def test_knows_no_other_keys_anywhere(self) -> None:
        """Each mapping with keys of its own refuses others, but for the two that are told apart by a case."""
        open_ones = [
            schema
            for schema in every(SCHEMA)
            if schema.get("type") == "object" and "properties" in schema and "additionalProperties" not in schema
        ]

        assert {tuple(schema["properties"]) for schema in open_ones} == {("type",), ("lab",)}
        assert all("allOf" in schema for schema in open_ones)

    def test_says_what_each_key_means(self) -> None:
        """In the words of the models; the lab's and the load's are their rooms' business."""
        names = ("FaultEntry", "ExpectationEntry", "AbortEntry", "Timeline", "Gate", "Safety", "Heal", "Report")
        models = [SCHEMA, *(SCHEMA["$defs"][name] for name in (*names, "Topology", "Backend", "Command", "Ready"))]

        assert [key for model in models for key, each in model["properties"].items() if "description" not in each] == []

    def test_spells_defaults_as_files_do(self) -> None:
        """With their units."""
        timeline = SCHEMA["$defs"]["Timeline"]["properties"]

        assert (timeline["warmup"]["default"], timeline["quiet_tail"]["default"]) == ("2s", "0s")
        assert SCHEMA["$defs"]["FaultEntry"]["properties"]["share"]["default"] == "100%"


class TestGoodFiles:
    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
    def test_shipped_experiments_are_valid(self, path: Path) -> None:
        """As an editor reads them, with numbers and booleans."""
        assert mistakes(yaml.safe_load(path.read_text("utf-8"))) == []

    def test_the_smallest_file_is_valid(self) -> None:
        """It needs nothing more than it has."""
        assert mistakes(yaml.safe_load(SMALLEST)) == []

    def test_references_may_stand_anywhere(self) -> None:
        """For a number, a time, a choice or a part of one."""
        load = {
            "arrival": {"rate": "${rps}/s", "max_in_flight": "${n}"},
            "request": {"stream": "${s}", "api": "${api}"},
        }

        faults = [{"target": "primary", "at": "5s", "do": {"type": "${kind}", "where": "token:3"}}]

        assert mistakes(changed(load=load, seed="${seed}", timeline={"lasts": "${env:LASTS:-20s}"})) == []
        assert mistakes(changed(faults=faults)) == []

    def test_numbers_are_text_where_text_is_meant(self) -> None:
        """The loader keeps them as they are written."""
        systems = {"x": {"command": ["serve", 8000], "env": {"DEBUG": True, "N": 5}}}

        assert mistakes(changed(systems=systems, vars={"rps": 20, "share": 0.5})) == []

    @pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.type)
    def test_every_fault_of_the_catalogue_is_known(self, fault: type[Fault]) -> None:
        """By its name."""
        named = {"type": fault.type}

        assert "faults.0.do.type" not in mistakes(changed(faults=[{"target": "primary", "at": "5s", "do": named}]))


class TestBadFiles:
    @pytest.mark.parametrize("stem", MISTYPED)
    def test_are_refused(self, stem: str) -> None:
        """All whose mistakes lie in keys and values; names, order and references are not a matter of types."""
        assert mistakes(yaml.safe_load((BAD / f"{stem}.yaml").read_text("utf-8")))

    @pytest.mark.parametrize(
        ("sections", "place"),
        [
            ({"faults": [{"target": "primary", "at": "5s", "do": {"type": "sse.drop", "ech": 5}}]}, "faults.0.do"),
            ({"faults": [{"target": "primary", "at": "5s", "do": {"type": "sse.dorp"}}]}, "faults.0.do.type"),
            ({"faults": [{"target": "primary", "at": "5s", "do": {"each": 5}}]}, "faults.0.do"),
            ({"faults": [{"target": "primary", "at": 5, "do": {"type": "sse.drop"}}]}, "faults.0.at"),
            ({"systems": {"m": {"lab": "backend", "tokns": 5}}}, "systems.m"),
            ({"systems": {"m": {"lab": "bakend"}}}, "systems.m.lab"),
            ({"systems": {"m": {"command": []}}}, "systems.m.command"),
            ({"systems": {"m": {}}}, "systems.m"),
            ({"timelin": {}}, ""),
            ({"seed": "ten"}, "seed"),
            ({"hypothesis": []}, "hypothesis"),
            ({"report": {"formats": ["pdf"]}}, "report.formats.0"),
        ],
    )
    def test_have_their_mistakes_where_they_are(self, sections: dict[str, Any], place: str) -> None:
        """One each, and not "valid under none of the schemas" of a whole section."""
        assert mistakes(changed(**sections)) == [place]
