"""Virtual time: an event loop that jumps to its next timer whenever nothing else is to be done (library looptime).

It does not know the time of the machine: a stall of an hour takes as long as the loop needs to notice that all are
waiting. Sockets are real.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from selectors import EVENT_READ, BaseSelector
from typing import Any, cast

from chaosproxy.errors import UserError

NOOP_CYCLES = 2
"""How often the loop looks once more for bytes on the way, before it believes that all are waiting and jumps."""
ECHO_MAX_S = 1.0
"""How long it waits for its own echo at most; the machine is never so busy, and a datagram might be lost."""

_VOICES = ("asyncio", "aiohttp.server")


def virtual_loop() -> asyncio.AbstractEventLoop:
    """A new one, not running; it is closed by ``running_loop``. Raises UserError when looptime is missing."""
    loop = _looptime().patch_event_loop(asyncio.SelectorEventLoop(), noop_cycles=NOOP_CYCLES)
    loop.chaosproxy_echo = Echo(loop._selector)  # noqa: SLF001 - as looptime does
    return cast(asyncio.AbstractEventLoop, loop)


class Echo:
    """Lets a loop jump only when nothing is on the way any more.

    The kernel hands over what goes through loopback in the order in which it was sent, but on a busy machine not at
    once: a poll that finds nothing proves nothing. So before each look the loop sends itself a datagram. When that is
    there, everything is that was sent before.
    """

    def __init__(self, selector: BaseSelector) -> None:
        self._selector = selector
        self._select: Any = selector.select
        self._poll = type(selector).select.__get__(selector)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(self._socket.getsockname())
        self._socket.settimeout(0)
        self._key = selector.register(self._socket, EVENT_READ)
        selector.select = self._look  # type: ignore[method-assign]

    def close(self) -> None:
        """The loop is as it was."""
        self._selector.select = self._select  # type: ignore[method-assign]
        self._selector.unregister(self._socket)
        self._socket.close()

    def _look(self, timeout: float | None = None) -> list[Any]:
        """As ``select``. With a timeout of 0 the loop has something to do, and will not jump."""
        if timeout != 0 and (arrived := self._before_the_echo()):
            return arrived
        return self._without_echo(self._select(timeout))

    def _before_the_echo(self) -> list[Any]:
        """What is ready when the echo is there, or before."""
        try:
            self._socket.send(b".")
        except OSError:  # no room for it: then the loop looks as it would without us
            return []
        return self._without_echo(self._poll(ECHO_MAX_S))

    def _without_echo(self, ready: list[Any]) -> list[Any]:
        others = [each for each in ready if each[0] is not self._key]
        if len(others) < len(ready):
            self._socket.recv(1)
        return others


@contextmanager
def jumping(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let the time of a loop that runs be virtual for a while. Raises UserError for one that is not asyncio's own."""
    looptime = _looptime()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        raise UserError(f"virtual time needs an event loop of asyncio's own, got {type(loop).__module__}'s")
    began_s = loop.time()
    patched = looptime.patch_event_loop(loop, start=began_s, noop_cycles=NOOP_CYCLES, _enabled=False)
    echo = Echo(loop._selector)  # type: ignore[attr-defined]  # noqa: SLF001 - as looptime does
    try:
        with patched.looptime_enabled():
            yield
    finally:
        echo.close()


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
        if (echo := getattr(loop, "chaosproxy_echo", None)) is not None:
            echo.close()
        loop.close()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
