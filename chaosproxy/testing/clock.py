"""Virtual time for tests: a timeout of a minute takes a millisecond."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any, Self, TypeVar

from chaosproxy.runner.virtual import jumping, running_loop, virtual_loop

T = TypeVar("T")


class VirtualTime:
    """What ``virtual_time`` gives."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """As ``asyncio.run``, in virtual time."""
        try:
            with running_loop(virtual_loop()) as loop:
                return loop.run_until_complete(main)
        finally:
            main.close()

    def __enter__(self) -> Self:
        self._stack.enter_context(jumping(asyncio.get_running_loop()))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()


def virtual_time() -> VirtualTime:
    """Time that jumps to the next timer whenever all of the event loop is waiting.

        async def test_it_gives_up():
            with virtual_time():
                await client_with_a_timeout_of_a_minute()

        def test_it_gives_up():
            virtual_time().run(client_with_a_timeout_of_a_minute())

    Everything that takes part must live in this loop: who answers from another thread, process or machine takes real
    time, which does not pass here. ``time.sleep`` waits as ever. Raises UserError when the library looptime is missing
    (the extra ``search``), or for a loop that is not asyncio's own, such as uvloop's.
    """
    return VirtualTime()
