"""Users' own faults: modules given with ``--plugin``, and installed packages with an entry point for us."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Annotated, Any

import typer

GROUP = "chaosproxy.faults"
"""The group of entry points; each names a fault (``acme.faults:SlowStart``) or a module with faults."""

Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        envvar="CHAOSPROXY_PLUGIN",
        metavar="MODULE[:CLASS]",
        help="A Python module with faults of your own, found as from this folder; repeat it.",
    ),
]


def load_plugins(given: Sequence[str] | None) -> tuple[str, ...]:
    """Register the faults of installed packages and those of the ``given`` modules, which come back.

    Raises UserError for a module that cannot be imported or has no fault, and for a fault that cannot be one.
    """
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        package = f" of {entry.dist.name}" if entry.dist is not None else ""
        _register(entry.value, f"the entry point {entry.name!r}{package}")
    plugins = tuple(given or ())
    if plugins and os.getcwd() not in sys.path and "" not in sys.path:  # noqa: PTH109 - as sys.path has it
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    for text in plugins:
        _register(text, f"--plugin {text}")
    return plugins


def _register(text: str, source: str) -> None:
    from chaosproxy.errors import BadValue, UserError
    from chaosproxy.faults import REGISTRY

    name, _, attribute = text.replace(" ", "").partition(":")
    module = _imported(name, source)
    try:
        for fault in _faults(module, attribute):
            REGISTRY.register(fault)
    except BadValue as error:
        raise UserError(f"{source}: {error}") from None


def _imported(name: str, source: str) -> ModuleType:
    from importlib import import_module

    from chaosproxy.errors import UserError

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            hint = f"; write {name.removesuffix('.py')}" if name.endswith(".py") else ""
            raise UserError(f"{source}: there is no module {error.name!r} here or installed{hint}") from None
        raise UserError(f"{source}: {name} wants to import {error.name!r}, which is not installed") from None
    except Exception as error:  # the module is the user's, and may raise anything
        raise UserError(f"{source}: {name} fails when it is imported: {type(error).__name__}: {error}") from error
    except SystemExit:
        raise UserError(f"{source}: {name} ends the program when it is imported; it must only define faults") from None


def _faults(module: ModuleType, attribute: str) -> Iterator[Any]:
    """The one that is named, or all public ones that the module or a module inside it defines."""
    from difflib import get_close_matches

    from chaosproxy.errors import BadValue
    from chaosproxy.faults.base import Fault

    mine = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Fault)
        and f"{value.__module__}.".startswith(f"{module.__name__}.")
        and not name.startswith("_")
    ]
    if not attribute:
        if not mine:
            raise BadValue(f"{module.__name__} defines no public subclass of chaosproxy.faults.base.Fault")
        yield from dict.fromkeys(mine)
    elif hasattr(module, attribute):
        yield getattr(module, attribute)
    else:
        near = get_close_matches(attribute, [fault.__name__ for fault in mine], n=1)
        raise BadValue(f"{module.__name__} has no {attribute!r}{f', did you mean {near[0]!r}?' if near else ''}")
