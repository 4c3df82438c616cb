"""The stop button where no network is left: while a file exists, nothing is injected."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from chaosproxy.errors import UserError

LOOK_EACH_S = 0.25
"""One look asks the kernel for one file, which costs microseconds."""


@asynccontextmanager
async def watching(path: Path, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """``tell`` why nothing may be injected (empty: it may) before anything else happens, and after each change.

    A file that cannot be looked for any more counts as there. Raises UserError when that is so from the start.
    """
    try:
        there = _exists(path)
    except OSError as error:
        raise UserError(f"--stop-file: cannot look for {path}: {(error.strerror or str(error)).lower()}") from None
    tell(_words(path) if there else "")
    looking = asyncio.create_task(_look(path, tell))
    try:
        yield
    finally:
        looking.cancel()


async def _look(path: Path, tell: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(LOOK_EACH_S)
        try:
            tell(_words(path) if _exists(path) else "")
        except OSError as error:
            tell(f"the stop file {path} cannot be looked for: {(error.strerror or str(error)).lower()}")


def _words(path: Path) -> str:
    return f"the stop file {path} exists"


def _exists(path: Path) -> bool:
    """As Path.exists, which takes every error for an absent file."""
    try:
        os.stat(path)  # noqa: PTH116 - see above
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
