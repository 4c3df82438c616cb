"""Looks by a function of the user's."""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from chaosproxy.experiment.probe import Seen
from chaosproxy.experiment.probe_kinds import PythonProbe
from chaosproxy.probes.apart import apart


def begin(probe: PythonProbe) -> Callable[[], Awaitable[Seen]]:
    """A call that still hangs, because a thread cannot be ended, is not joined by another one."""
    under_way: set[object] = set()

    def call() -> Any:
        under_way.add(me := object())
        try:
            return _call(probe.python)
        finally:
            under_way.discard(me)

    async def look() -> Seen:
        if under_way:
            return Seen("unknown", None, "an earlier call has not returned yet")
        try:
            value = await apart(call)
        except AssertionError as error:
            return Seen("failed", None, f"AssertionError: {error}" if str(error) else "an assertion failed")
        except Exception as error:  # noqa: BLE001 - the function is the user's, and may raise anything
            return Seen("unknown", None, f"{type(error).__name__}: {error}")
        return judged(probe, value)

    return look


def judged(probe: PythonProbe, value: Any) -> Seen:
    """What the function returned, as what was seen."""
    if isinstance(value, bool):
        return Seen("ok") if value else Seen("failed", None, f"{probe.python} returned False")
    if isinstance(value, int | float) and math.isfinite(value):
        return Seen.by(probe.expect, float(value), probe.python)
    return Seen("unknown", None, f"{probe.python} returned {type(value).__name__}, not a bool or a finite number")


def _call(target: str) -> Any:
    """In a thread; a coroutine gets a loop of its own there, so that even a bad one blocks nobody."""
    name, _, path = target.partition(":")
    if os.getcwd() not in sys.path and "" not in sys.path:  # noqa: PTH109 - as sys.path has it
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    function: Any = import_module(name)
    for step in path.split("."):
        function = getattr(function, step)
    value = function()
    return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value
