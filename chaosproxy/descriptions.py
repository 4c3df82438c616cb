"""What settings mean, read from the docstrings behind them when a JSON Schema is asked for.

Pydantic can do this for every class when it is made (``use_attribute_docstrings``), which every process of ours would
pay for when it starts, for words that only a schema, a form or a page of the reference ever shows.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue


class Described(BaseModel):
    """A model whose fields are described by the docstrings behind them; ``Field(description=...)`` goes before."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, words in described(cls).items():
            for key in _keys(name, cls.model_fields[name]) & properties.keys():
                properties[key].setdefault("description", words)
        return schema


def described(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings of its fields, where they have one."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        own = inspect.get_annotations(kind).keys() & model.model_fields.keys()
        if not own or kind is BaseModel:
            continue
        words = _of_module(kind.__module__).get(kind.__qualname__, {})
        found = {name: text for name, text in found.items() if name not in own}
        found.update((name, words[name]) for name in own if name in words)
    return found


def _keys(name: str, field: FieldInfo) -> set[str]:
    """All names under which a schema may have it."""
    aliases = (field.alias, field.validation_alias, field.serialization_alias)
    return {name, *(alias for alias in aliases if isinstance(alias, str))}


@lru_cache(maxsize=256)
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """Of every class in it, by qualified name; nothing where the source is not there."""
    module = sys.modules.get(name)
    try:
        source = inspect.getsource(module) if module is not None else ""
    except (OSError, TypeError):
        return {}
    return dict(_of_classes(ast.parse(source), ""))


def _of_classes(node: ast.AST, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.ClassDef(name=name):
                yield prefix + name, dict(_of_fields(child))
                yield from _of_classes(child, f"{prefix}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from _of_classes(child, f"{prefix}{name}.<locals>.")
            case ast.stmt():
                yield from _of_classes(child, prefix)


def _of_fields(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, words in zip(body.body, body.body[1:], strict=False):
        match field, words:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
