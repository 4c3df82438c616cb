"""The soak: ``python -m benchmarks.soak [--seconds 600] [--streams 200] [--seed 1]``; without --seconds, a full one."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks import page as performance
from benchmarks.processes import BenchmarkFailed, allow_files
from benchmarks.soak import page
from benchmarks.soak.bars import judge
from benchmarks.soak.conductor import Soak
from chaosproxy.errors import PartFailed

FULL_S = 1800.0
STREAMS = 200


def main() -> int:
    """Soak; a full one writes its part of the page. 1 when a bar was not met, 2 when it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description="Soak the proxy.")
    parser.add_argument("--seconds", type=float, help=f"how long [default: {FULL_S:g}, and the page is written]")
    parser.add_argument("--streams", type=int, default=STREAMS, help="open at once [default: %(default)s]")
    parser.add_argument("--seed", type=int, default=1, help="of the plans [default: %(default)s]")
    parser.add_argument("--json", action="store_true", help="print the bars as one line of JSON at the end")
    parser.add_argument("--keep", metavar="FOLDER", help="keep journal and logs there")
    given = parser.parse_args()
    allow_files()
    try:
        with tempfile.TemporaryDirectory() as spare:
            folder = Path(given.keep or spare)
            folder.mkdir(parents=True, exist_ok=True)
            return _soak(given, folder)
    except (BenchmarkFailed, PartFailed) as error:
        print(error, file=sys.stderr)
        return 2


def _soak(given: argparse.Namespace, folder: Path) -> int:
    soak = Soak(
        given.seconds or FULL_S, given.streams, given.seed, lambda line: print(line, file=sys.stderr, flush=True)
    )
    found = asyncio.run(soak.run(folder))
    bars = judge(found)
    text = page.words(found, bars)
    print(f"\n{text}", file=sys.stderr)
    for line in page.flaws(found):
        print(line, file=sys.stderr)
    if given.json:
        print(json.dumps({"bars": [asdict(bar) for bar in bars], "flaws": found.audit.flaws}))
    if given.seconds is None:
        performance.write(text, begin=page.BEGIN, end=page.END)
    return 1 if any(bar.met is False for bar in bars) else 0


if __name__ == "__main__":
    sys.exit(main())
