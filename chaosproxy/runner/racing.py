"""Waiting for one of several things."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


async def first_of(*endings: Coroutine[Any, Any, T]) -> T:
    """The first to end, or to fail; the others are cancelled, and have ended, when this returns."""
    tasks = [asyncio.ensure_future(ending) for ending in endings]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(at: float, clock: Callable[[], float]) -> None:
    """Sleep to a moment of the clock; one that has passed is now."""
    await asyncio.sleep(max(0.0, at - clock()))


async def forever() -> NoReturn:
    """Never returns; for what is only waited for because it may fail."""
    while True:
        await asyncio.get_running_loop().create_future()
