"""What an application saw of one answer. Only the standard library: LiteLLM's environment has nothing of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass
class Seen:
    """Grows while the answer comes. ``finish`` and ``error`` are None until the client tells of one."""

    text: str = ""
    finish: str | None = None
    error: str | None = None
    error_event: bool = False
    """An error came as an ordinary event, which an application must look for."""
    hung: bool = False


Ask = Callable[[Seen], Awaitable[None]]
"""One question; it writes down what it sees, and raises what the client raises."""


async def watch(ask: Ask, deadline_s: float) -> Seen:
    """Ask, and cut it off at the deadline: no client has one of its own for a whole answer."""
    seen = Seen()
    task = asyncio.ensure_future(ask(seen))
    done, _ = await asyncio.wait({task}, timeout=deadline_s)
    if not done:
        seen.hung = True
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    elif (error := task.exception()) is not None:
        seen.error = named(error)
    return seen


def named(error: BaseException) -> str:
    """The class of an error, with its status where it has one."""
    statuses = (getattr(error, name, None) for name in ("status_code", "code"))
    status = next((status for status in statuses if isinstance(status, int)), None)
    return type(error).__name__ if status is None else f"{type(error).__name__}[{status}]"
