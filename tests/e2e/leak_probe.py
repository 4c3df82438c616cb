"""A proxy that counts itself: run as a program, it prints its figures for each line that it reads.

Not shipped: what it tells is nobody's business but a test's.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
from pathlib import Path
from typing import Any

from chaosproxy.journal.records import Opened
from chaosproxy.lab.part import announce, open_stdin
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.journal_file import JournalFile
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy

OPENED = Opened(process="proxy", host="here", pid=1, mono=0, wall=0, chaosproxy="0")
LIMITS = Limits(pooled_s=0.5)
FAULTS: list[dict[str, Any]] = [
    {"id": "paced", "listeners": ["a"], "share": 0.2, "do": {"type": "time.inter_token", "mean": "0s"}},
    {"id": "cut", "listeners": ["a"], "share": 0.01, "do": {"type": "stream.truncate", "where": "token:1"}},
    {"id": "reset", "listeners": ["a"], "share": 0.01, "do": {"type": "stream.reset", "where": "token:1"}},
    {"id": "status", "listeners": ["a"], "share": 0.01, "do": {"type": "http.status", "status": 503}},
]


def figures(proxy: Proxy) -> dict[str, int]:
    """What grows when something leaks."""
    gc.collect()
    return {
        "rss_bytes": int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize(),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()),
        "open_exchanges": proxy.open_exchanges,
    }


async def main(upstream: str) -> None:
    """Serve until the end of standard input."""
    lines = await open_stdin()
    with JournalFile(Path("/dev/null"), OPENED) as journal:
        async with Proxy([ListenerSpec("a", "127.0.0.1:0", upstream)], record=journal.write, limits=LIMITS) as proxy:
            rules = [Rule.model_validate(fault) for fault in FAULTS]
            proxy.apply(rules, owner="test", lease_s=float("inf"), seed=1)
            announce(url=proxy.urls["a"])
            while await lines.readline():
                announce(**figures(proxy))


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1]))
