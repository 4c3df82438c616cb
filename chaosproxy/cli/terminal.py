"""What the commands know about the terminal that they speak to."""

from __future__ import annotations

import shutil
import sys

WIDTH_MAX = 110
"""Longer lines are hard to read."""


def width() -> int | None:
    """Where to wrap text; None when standard output is not a terminal."""
    return min(shutil.get_terminal_size().columns, WIDTH_MAX) if sys.stdout.isatty() else None
