"""Where code of a fault runs: a bug in it ends its own exchange and no other, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar


class Exchanging(Protocol):
    """Who carries an exchange."""

    def failed(self, error: Exception) -> None:
        """Give it up."""


Self = TypeVar("Self", bound=Exchanging)
Args = ParamSpec("Args")


def contained(method: Callable[Concatenate[Self, Args], None]) -> Callable[Concatenate[Self, Args], None]:
    """A method that hands what it raises to ``failed`` of its object, and returns."""

    @wraps(method)
    def run(self: Self, /, *args: Args.args, **keywords: Args.kwargs) -> None:
        try:
            method(self, *args, **keywords)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other exchanges go on
            self.failed(error)

    return run
