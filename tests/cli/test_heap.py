"""What large bodies took goes back to the system, also where small blocks that stay lie between them."""

from __future__ import annotations

import subprocess
import sys

import pytest

MB = 1_000_000
PROGRAM = """
import resource
from pathlib import Path
from chaosproxy.cli.heap import LARGE_BYTES, give_back_large_blocks

def rss_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

give_back_large_blocks()
del_me = bytes(8_000_000)  # after this, malloc of its own accord keeps blocks of megabytes
del del_me
before, stays, bodies = rss_bytes(), [], []
for _ in range(40):
    bodies.append(b"x" * LARGE_BYTES * 4)
    stays.append(b"x" * 2000)
full = rss_bytes()
bodies.clear()
print(full - before, rss_bytes() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, and is about glibc")
def test_what_bodies_took_is_given_back() -> None:
    """40 MB between small blocks; left alone, malloc keeps a fifth of it, and more with each turn."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    full, left = map(int, done.stdout.split())
    assert full > 40 * MB
    assert left < 2 * MB
