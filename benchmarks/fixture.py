"""What a test pays for ``chaos``: ``python -m benchmarks.fixture``.

Each turn is what the fixture does for one test: a fresh proxy with its listener (and, in the second row, a fresh lab
backend behind it), and its end. The bar is a fresh proxy in less than 2 ms.
"""

from __future__ import annotations

import sys
from statistics import median
from time import perf_counter

from chaosproxy.fixture.session import Session
from chaosproxy.fixture.wrapped import Wrapped

TURNS = 300
BAR_MS = 2.0


def turn(session: Session, upstream: str | None) -> tuple[float, float]:
    """Milliseconds until a test can begin, and for its end."""
    began = perf_counter()
    chaos = session.chaos()
    wrapped: Wrapped = chaos.backend() if upstream is None else chaos.wrap(upstream)
    ready = perf_counter()
    assert wrapped.url  # noqa: S101 - it is there
    chaos.close()
    return (ready - began) * 1000, (perf_counter() - ready) * 1000


def measure(session: Session, upstream: str | None) -> tuple[float, float, float]:
    """Median and 90th percentile of the beginning, median of the end."""
    turns = [turn(session, upstream) for _ in range(TURNS)]
    begins = sorted(begin for begin, _ in turns)
    return median(begins), begins[len(begins) * 9 // 10], median(end for _, end in turns)


def main() -> int:
    """Print both rows; the exit code is 1 when the bar is not met."""
    with Session() as session:
        turn(session, None)
        rows = {
            "a fresh proxy": measure(session, "http://127.0.0.1:9"),
            "a fresh proxy and lab backend": measure(session, None),
        }
    print(f"{'per test, ms':<32}{'median':>8}{'p90':>8}{'end':>8}   ({TURNS} turns)")
    for name, (begin, p90, end) in rows.items():
        print(f"{name:<32}{begin:>8.2f}{p90:>8.2f}{end:>8.2f}")
    met = rows["a fresh proxy"][0] < BAR_MS
    print(f"bar: a fresh proxy in less than {BAR_MS:g} ms (median): {'met' if met else 'not met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
