"""How the process of a proxy gives memory back to the system."""

from __future__ import annotations

import ctypes
import sys

LARGE_BYTES = 256 * 1024
"""Blocks of this size are the system's own, and go back to it when they are freed: bodies that were gathered, and not
the pieces in which they come, of which uvloop reads at most 256,000 bytes at once."""
FREE_BYTES = 1024 * 1024
"""So much at the end of the heap may stay free for what comes next."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def give_back_large_blocks() -> None:
    """Fix the bounds by which glibc's malloc gives memory back; elsewhere there is nothing to do.

    Left alone, malloc(3) takes the largest block that was ever freed, up to 32 MiB, for one that will be needed again:
    after one large upload all bodies lie in the heap, between small blocks that stay, and a proxy that runs for weeks
    grows with each unlucky order in which they come and go.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, FREE_BYTES)
