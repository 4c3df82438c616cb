"""What settings mean, as schemas show it."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import ClassVar

import pytest
from pydantic import BaseModel, Field

from chaosproxy.descriptions import Described, described


class Inner(Described):
    share: float = 0.0
    """How much
    of it."""
    mute: int = 0


class Plain(Described):
    kind: ClassVar[str] = "plain"
    """No field."""
    inner: Inner = Inner()
    """What is in it."""
    after_bytes: int | None = Field(default=None, alias="bytes")
    """Under another name."""
    given: int = Field(default=0, description="Said in the field.")
    """Said behind it."""


class Heir(Plain):
    given: int = 0
    own: int = 0
    """Of the heir."""


class TestWords:
    def test_of_each_field_that_has_some(self) -> None:
        assert described(Inner) == {"share": "How much\nof it."}

    def test_what_is_no_field_has_none(self) -> None:
        assert set(described(Plain)) == {"inner", "after_bytes", "given"}

    def test_they_are_inherited_until_the_field_is_declared_anew(self) -> None:
        assert set(described(Heir)) == {"inner", "after_bytes", "own"}

    def test_of_a_class_in_a_function(self) -> None:
        class Local(Described):
            field: int = 0
            """Its words."""

        assert described(Local) == {"field": "Its words."}

    def test_without_a_source_there_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = ModuleType("made_up")
        monkeypatch.setitem(sys.modules, "made_up", module)
        made = type("Made", (Described,), {"__module__": "made_up", "__annotations__": {"x": int}})

        assert issubclass(made, BaseModel)
        assert described(made) == {}
        assert "description" not in made.model_json_schema()["properties"]["x"]


class TestSchema:
    def test_names_and_aliases(self) -> None:
        schema = Plain.model_json_schema()

        assert schema["properties"]["bytes"]["description"] == "Under another name."
        assert schema["properties"]["inner"]["description"] == "What is in it."
        assert "description" not in schema["$defs"]["Inner"]["properties"]["mute"]

    def test_python_names(self) -> None:
        assert Plain.model_json_schema(by_alias=False)["properties"]["after_bytes"]["description"]

    def test_nested_models_too(self) -> None:
        assert Plain.model_json_schema()["$defs"]["Inner"]["properties"]["share"]["description"] == "How much\nof it."

    def test_words_in_the_field_go_before(self) -> None:
        assert Plain.model_json_schema()["properties"]["given"]["description"] == "Said in the field."


def test_no_source_is_read_before_a_schema_is_asked_for() -> None:
    """Every process of ours would pay for it when it starts."""
    code = """
import sys
import chaosproxy.faults, chaosproxy.experiment.model, chaosproxy.control.messages
from chaosproxy import descriptions
assert descriptions._of_module.cache_info().currsize == 0
assert not any(model.model_config.get("use_attribute_docstrings") for model in descriptions.Described.__subclasses__())
assert all(not fault.__pydantic_complete__ for fault in chaosproxy.faults.CATALOGUE)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
