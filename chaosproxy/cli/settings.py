"""KEY=VALUE on a command line as a settings model, every mistake at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from chaosproxy.errors import InvalidExperiment, Problem, UserError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound="BaseModel")


def pair(text: str, what: str) -> tuple[str, str]:
    """Key and value of ``KEY=VALUE``. Raises UserError."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UserError(f"{what}: expected KEY=VALUE, got {text!r}")
    return key, value


def read_settings(model: type[M], texts: Iterable[str], source: str, given: Mapping[str, Any] | None = None) -> M:
    """``model`` from ``key=value`` texts beside the values that are ``given``; a dot enters a mapping.

    Raises InvalidExperiment with all mistakes; ``source`` is who they are of.
    """
    from pydantic import ValidationError

    values: dict[str, Any] = dict(given or {})
    problems = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            problems.append(Problem(source, 0, 0, "", f"expected key=value, got {text!r}"))
        elif not _put(values, key, value):
            problems.append(Problem(source, 0, 0, key, "is given twice"))
    try:
        settings = model.model_validate(values)
    except ValidationError as error:
        problems += _explained(error, model, source, values)
        raise InvalidExperiment(problems) from None
    if problems:
        raise InvalidExperiment(problems)
    return settings


def _explained(error: ValidationError, model: type[BaseModel], source: str, values: dict[str, Any]) -> list[Problem]:
    from chaosproxy.experiment.problems import explain
    from chaosproxy.experiment.references import Filled
    from chaosproxy.experiment.yaml_text import Document, Node, Place

    nowhere = Document(source, Node(Place(0, 0), {}, {}))
    return explain(error, model, nowhere, Filled(values, {}))


def _put(values: dict[str, Any], key: str, value: str) -> bool:
    """Whether ``key`` was free. Only the first dot counts: the rest may be the name of a model."""
    head, dot, rest = key.partition(".")
    name, inside = (rest, values.setdefault(head, {})) if dot else (head, values)
    if not isinstance(inside, dict) or name in inside:
        return False
    inside[name] = value
    return True
