"""``chaosproxy schema``."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from tests.cli.command import chaosproxy


def test_it_prints_a_json_schema() -> None:
    """A valid 2020-12 schema that knows the required keys of an experiment."""
    said = chaosproxy("schema")

    schema = json.loads(said.out)
    Draft202012Validator.check_schema(schema)
    assert said.code == 0
    assert {"experiment", "topology", "hypothesis"} <= set(schema["required"])
