"""Where code of a fault runs: a bug in it ends its own exchange and no other, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType


class Containment:
    """A ``with`` block that hands its error to ``on_failure`` and goes on after the block."""

    __slots__ = ("_on_failure",)

    def __init__(self, on_failure: Callable[[Exception], None]) -> None:
        self._on_failure = on_failure

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._on_failure(error)
        return True
