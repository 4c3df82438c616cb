"""The benchmark of the data plane: ``python -m benchmarks.data_plane [--quick | --check]``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import baseline, exactness, page, words
from benchmarks.baseline import Finding, Ratio
from benchmarks.growth import growths
from benchmarks.plan import CHECK, FULL, QUICK, Scale, bar_turns, fault_turns, idle_turns, size_turns
from benchmarks.processes import BenchmarkFailed, allow_files
from benchmarks.ratios import ratios
from benchmarks.results import Results
from benchmarks.rounds import measure


def run(scale: Scale) -> Results:
    """Every part of the plan. Raises BenchmarkFailed."""
    plan = [list(turns(scale)) for turns in (bar_turns, fault_turns, size_turns, idle_turns)]
    return measure(plan, repeat_s=scale.repeat_s)


def publish(scale: Scale, delays_scale: exactness.Scale, *, write: bool) -> int:
    """Measure all and print the tables; a full run also writes the page, its plot and the baseline."""
    began_s = time.monotonic()
    results = run(scale)
    delays = exactness.measure(delays_scale)
    curves = growths(results, scale)
    text = page.tables(results, curves, delays, minutes=(time.monotonic() - began_s) / 60)
    print(f"\n{text}")
    if write:
        from benchmarks import plots  # noqa: PLC0415 - drawing needs a library that nothing else does

        page.write(text)
        plots.draw(curves, page.PLOT)
        baseline.save(ratios(results), asdict(results.machine))
    return 0


def check(scale: Scale, file: Path = baseline.FILE) -> int:
    """Measure what has a ratio, and compare it with the baseline; 1 for a regression."""
    try:
        stored = baseline.load(file)
    except FileNotFoundError:
        print(f"no {file.name}: `make bench` writes it", file=sys.stderr)
        return 1
    return _compare(stored, ratios(run(scale)))


def _compare(stored: Sequence[Ratio], measured: Sequence[Ratio]) -> int:
    findings = baseline.compare(stored, measured)
    print(f"\n{verdicts(findings)}")
    unmeasured = {ratio.name for ratio in stored} - {finding.name for finding in findings}
    for name in sorted(unmeasured):
        print(f"not measured: {name}")
    worse = [finding for finding in findings if finding.is_regression]
    print(f"{len(worse)} of {len(findings)} ratios are worse than they may be.")
    return 1 if worse or not findings else 0


def verdicts(findings: Sequence[Finding]) -> str:
    """A table of stored and measured ratios."""
    rows = [
        (
            finding.name,
            f"{finding.stored:.2f}",
            f"{finding.now:.2f}",
            f"{finding.worse_by:+.0%}",
            f"{finding.tolerance:.0%}",
            "WORSE" if finding.is_regression else "ok",
        )
        for finding in findings
    ]
    return "\n".join(words.table(("ratio", "baseline", "now", "worse by", "allowed", ""), rows))


def main() -> int:
    """Measure; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_plane", description="Measure the data plane.")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--quick", action="store_true", help="coarse, and nothing is written")
    chosen.add_argument("--check", action="store_true", help="compare ratios with the stored baseline; 1 if worse")
    given = parser.parse_args()
    allow_files()
    try:
        if given.check:
            return check(CHECK)
        if given.quick:
            return publish(QUICK, exactness.QUICK, write=False)
        return publish(FULL, exactness.FULL, write=True)
    except BenchmarkFailed as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
