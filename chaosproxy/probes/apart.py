"""Runs what may block, such as a file system or a user's function, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def apart(function: Callable[[], T]) -> T:
    """What ``function`` returns or raises. When this is cancelled the thread goes on, and its end is no news; being a
    daemon it keeps no process alive, as one of the loop's own executor would.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(told: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if answer.done() else told())

    def work() -> None:
        try:
            result = function()
        except (StopIteration, SystemExit, KeyboardInterrupt) as error:  # which a future, or a loop, would not survive
            ended = RuntimeError(f"{type(error).__name__}: {error}")
            tell(lambda: answer.set_exception(ended))
        except Exception as error:  # noqa: BLE001 - it belongs to who asked
            failed = error
            tell(lambda: answer.set_exception(failed))
        else:
            tell(lambda: answer.set_result(result))

    threading.Thread(target=work, name="probe", daemon=True).start()
    return await answer
