"""Virtual time: an event loop that jumps to its next timer whenever nothing else is to be done (library looptime).

It does not know the time of the machine: a stall of an hour takes as long as the loop needs to notice that all are
waiting. Sockets are real.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from chaosproxy.errors import UserError

NOOP_CYCLES = 8
"""How often the loop looks for bytes on the way, before it believes that all are waiting and jumps."""


_VOICES = ("asyncio", "aiohttp.server")


def virtual_loop() -> asyncio.AbstractEventLoop:
    """A new one, not running. Raises UserError when looptime is missing."""
    return cast(
        asyncio.AbstractEventLoop, _looptime().patch_event_loop(asyncio.SelectorEventLoop(), noop_cycles=NOOP_CYCLES)
    )


@contextmanager
def jumping(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let the time of a loop that runs be virtual for a while. Raises UserError for one that is not asyncio's own."""
    looptime = _looptime()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        raise UserError(f"virtual time needs an event loop of asyncio's own, got {type(loop).__module__}'s")
    began_s = loop.time()
    patched = looptime.patch_event_loop(loop, start=began_s, _enabled=False)
    with patched.looptime_enabled():
        yield


def _looptime() -> Any:
    try:
        import looptime  # noqa: PLC0415 - an extra, needed for nothing else
    except ModuleNotFoundError:
        raise UserError("virtual time needs the library looptime: pip install 'chaosproxy[search]'") from None
    return looptime


@contextmanager
def running_loop(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.AbstractEventLoop]:
    """Ends all that is left in the loop, and closes it. What the libraries log about broken connections is no news."""
    levels = {name: logging.getLogger(name).level for name in _VOICES}
    for name in _VOICES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield loop
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
