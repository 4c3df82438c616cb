"""What users add: faults, measures and kinds of probes, of modules given with ``--plugin``, and of installed packages
with an entry point for us.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Annotated, Any

import typer

GROUPS = ("chaosproxy.faults", "chaosproxy.measures", "chaosproxy.probes")
"""The groups of entry points; each names one thing (``acme.faults:SlowStart``) or a module with things of any kind."""

Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        envvar="CHAOSPROXY_PLUGIN",
        metavar="MODULE[:NAME]",
        help="A Python module with faults, measures or probes of your own, found as from this folder; repeat it.",
    ),
]


def load_plugins(given: Sequence[str] | None) -> tuple[str, ...]:
    """Register what installed packages and the ``given`` modules have, which come back.

    Raises UserError for a module that cannot be imported or has nothing, and for a thing that cannot be what it is.
    """
    from importlib.metadata import entry_points

    for group in GROUPS:
        for entry in entry_points(group=group):
            package = f" of {entry.dist.name}" if entry.dist is not None else ""
            _register(entry.value, f"the entry point {entry.name!r}{package}")
    plugins = tuple(given or ())
    if plugins:
        see_this_folder()
    for text in plugins:
        _register(text, f"--plugin {text}")
    return plugins


def see_this_folder() -> None:
    """Let modules of the current folder be imported, as ``python -m`` does."""
    if os.getcwd() not in sys.path and "" not in sys.path:  # noqa: PTH109 - as sys.path has it
        sys.path.insert(0, os.getcwd())  # noqa: PTH109


def _register(text: str, source: str) -> None:
    from chaosproxy.errors import BadValue, UserError

    name, _, attribute = text.replace(" ", "").partition(":")
    module = imported(name, source)
    try:
        for thing in _things(module, attribute):
            _add(thing)
    except BadValue as error:
        raise UserError(f"{source}: {error}") from None


def _add(thing: Any) -> None:
    """To the registry of its kind. Raises BadValue."""
    from chaosproxy.errors import BadValue
    from chaosproxy.experiment.probe import Probe
    from chaosproxy.experiment.probes import KINDS
    from chaosproxy.faults import REGISTRY
    from chaosproxy.faults.base import Fault
    from chaosproxy.steady_state.vocabulary import MEASURES, Measure

    if isinstance(thing, Measure):
        MEASURES.register(thing)
    elif isinstance(thing, type) and issubclass(thing, Probe):
        KINDS.register(thing)
    elif isinstance(thing, type) and issubclass(thing, Fault):
        REGISTRY.register(thing)
    else:
        what = f"{thing.__module__}:{thing.__qualname__}" if isinstance(thing, type) else repr(thing)
        raise BadValue(f"{what} is not {_WANTED}")


_WANTED = (
    "a subclass of chaosproxy.faults.base.Fault or chaosproxy.experiment.probe.Probe, or a measure "
    "(@chaosproxy.steady_state.own.measure)"
)


def imported(name: str, source: str) -> ModuleType:
    """A module of the user's. Raises UserError, whatever is wrong with it."""
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
        raise UserError(f"{source}: {name} ends the program when it is imported; it must only define things") from None


def _things(module: ModuleType, attribute: str) -> Iterator[Any]:
    """The one that is named, or all public ones that the module or a module inside it defines."""
    from difflib import get_close_matches

    from chaosproxy.errors import BadValue

    mine = {name: value for name, value in vars(module).items() if not name.startswith("_") and _is_of(value, module)}
    if not attribute:
        if not mine:
            raise BadValue(f"{module.__name__} defines nothing public that is {_WANTED}")
        yield from dict.fromkeys(mine.values())
    elif hasattr(module, attribute):
        yield getattr(module, attribute)
    else:
        near = get_close_matches(attribute, list(mine), n=1)
        raise BadValue(f"{module.__name__} has no {attribute!r}{f', did you mean {near[0]!r}?' if near else ''}")


def _is_of(value: Any, module: ModuleType) -> bool:
    """Whether it is something that can be added, and is not only imported there."""
    from chaosproxy.experiment.probe import Probe
    from chaosproxy.faults.base import Fault
    from chaosproxy.steady_state.vocabulary import Measure

    made_in = value.value_of if isinstance(value, Measure) else value
    known = isinstance(value, Measure) or (isinstance(value, type) and issubclass(value, Fault | Probe))
    return known and f"{getattr(made_in, '__module__', '')}.".startswith(f"{module.__name__}.")
