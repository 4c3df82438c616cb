"""What the commands know about the terminal that they speak to."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

WIDTH_MAX = 110
"""Longer lines are hard to read."""


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Print what decides no exit code: a reader that left (``| head``) changes nothing for a pipeline."""
    try:
        yield
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def width() -> int | None:
    """Where to wrap text; None when standard output is not a terminal."""
    return min(shutil.get_terminal_size().columns, WIDTH_MAX) if sys.stdout.isatty() else None
