"""llm.schema: the shape of an answer has changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chaosproxy.errors import BadValue
from chaosproxy.events import Abort, End, Exchange, Heal, Incoming, Miss, Outgoing
from chaosproxy.faults.base import Stage
from chaosproxy.faults.semantic.native import Alter, Altered
from chaosproxy.faults.stages import passing
from chaosproxy.units import split_list

_STEP = re.compile(r"(\w[\w-]*)((?:\[(?:\d+|\*)\])*)")


def _readable(path: str) -> str:
    steps = path.removeprefix("$.").split(".")
    if not all(_STEP.fullmatch(step) for step in steps) or "[" in steps[-1]:
        raise BadValue(f"expected a path such as choices[*].delta.content, got {path!r}")
    return path


Path = Annotated[str, AfterValidator(_readable), Field(examples=["choices[*].delta.content"])]
"""Members from the outermost object on, with dots between them; ``[0]`` or ``[*]`` enters an array.

The last step is a name."""


class LlmSchema(Altered):
    """Rename, drop or null members of the JSON, like a provider that changes its API without a new version."""

    type: ClassVar[str] = "llm.schema"
    symptom: ClassVar[str] = "members are missing, null or renamed: an attribute error, or an empty answer without one"
    timeline: ClassVar[str] = "upstream  h {a} {a} {a} end\nclient    h {b} {b} {b} end"

    rename: dict[Path, str] = Field(default_factory=dict)
    """Other names for members: the path, and the new name of its last step."""
    drop: Annotated[tuple[Path, ...], BeforeValidator(split_list)] = ()
    """Members that are left out."""
    nullify: Annotated[tuple[Path, ...], BeforeValidator(split_list)] = ()
    """Members that become null."""

    @classmethod
    def neutral(cls) -> Self:
        """No change."""
        return cls()

    @model_validator(mode="after")
    def _one_change_each(self) -> Self:
        paths = [*self.rename, *self.drop, *self.nullify]
        twice = sorted({path for path in paths if paths.count(path) > 1})
        if twice:
            raise ValueError(f"{twice[0]} stands in two of rename, drop and nullify")
        return self

    def alter(self, exchange: Exchange) -> tuple[Alter, str, str]:
        """At every place that a path leads to."""
        del exchange
        paths = ", ".join([*self.rename, *self.drop, *self.nullify])
        return self._alter, f"changed {paths}", f"the answer has no {paths}" if paths else "nothing is to be changed"

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return super().stage(dice, exchange) if self != LlmSchema() else Unchanged()

    def _alter(self, payload: dict[str, Any]) -> bool:
        changed = False
        for path in (*self.drop, *self.rename, *self.nullify):
            for holder, name in _found(payload, path):
                value = holder.pop(name)
                if path in self.rename:
                    holder[self.rename[path]] = value
                elif path in self.nullify:
                    holder[name] = None
                changed = changed or path not in self.nullify or value is not None
        return changed


class Unchanged:
    """Passes all, and says so at the end."""

    def __init__(self) -> None:
        self._said = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._said or not isinstance(event, End | Abort | Heal):
            return passing(event)
        self._said = True
        return [Miss(event.at, "nothing was to be changed"), *passing(event)]


def _found(payload: dict[str, Any], path: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects in which the last step of a path stands, and its name."""
    *steps, last = path.removeprefix("$.").split(".")
    values: list[Any] = [payload]
    for step in steps:
        values = [inner for value in values for inner in _enter(value, step)]
    for value in values:
        if isinstance(value, dict) and last in value:
            yield value, last


def _enter(value: Any, step: str) -> list[Any]:
    match = _STEP.fullmatch(step)
    if match is None or not isinstance(value, dict) or match[1] not in value:
        return []
    values = [value[match[1]]]
    for index in re.findall(r"\[(\d+|\*)\]", match[2]):
        arrays = [array for array in values if isinstance(array, list)]
        values = [item for array in arrays for item in (array if index == "*" else array[int(index) : int(index) + 1])]
    return values
