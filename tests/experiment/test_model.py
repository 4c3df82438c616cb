from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.functional_validators import BeforeValidator

from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.problems import found
from chaosproxy.experiment.proxies import ProxiesFile
from chaosproxy.experiment.references import Filled
from chaosproxy.experiment.unknown_keys import keys_of
from chaosproxy.faults import CATALOGUE


def models_of(kind: Any, seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """All models inside a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in seen:
            seen.add(kind)
            for field in kind.model_fields.values():
                models_of(field.annotation, seen)
        return seen
    for inner in get_args(kind):
        models_of(inner, seen)
    return seen


def plain_flags(kind: Any, metadata: list[Any]) -> bool:
    """Whether a type holds a bool that nobody reads strictly."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is bool:
        return not any(isinstance(each, BeforeValidator) for each in metadata)
    if origin is Annotated:
        return plain_flags(arguments[0], [*metadata, *arguments[1:]])
    inherited = metadata if origin in (Union, UnionType) else []
    return any(plain_flags(each, inherited) for each in arguments)


ROOTS: tuple[type[BaseModel], ...] = (Experiment, ProxiesFile, *CATALOGUE)
MODELS = sorted({model for root in ROOTS for model in models_of(root, set())}, key=lambda model: model.__name__)


class TestEveryModelOfTheFile:
    def test_is_strict_and_frozen(self) -> None:
        """An unknown key is refused everywhere, and nobody changes an experiment that was read."""
        assert [
            model.__name__
            for model in MODELS
            if model.model_config.get("extra") != "forbid" or not model.model_config.get("frozen")
        ] == []

    def test_spells_booleans_true_and_false(self) -> None:
        """Pydantic alone would take on, yes and 1 for true."""
        wrong = [
            f"{model.__name__}.{name}"
            for model in MODELS
            for name, field in model.model_fields.items()
            if plain_flags(field.annotation, field.metadata)
        ]

        assert wrong == []

    def test_has_no_key_that_looks_like_a_secret(self) -> None:
        """Messages hide the values of such keys, so `first_token: 5` would be refused without saying why.

        The one that is there is one.
        """
        filled = Filled({name: "5" for model in MODELS for name in keys_of(model)}, {})

        assert [name for name in filled.value if found((name,), filled) != "'5'"] == ["token"]
