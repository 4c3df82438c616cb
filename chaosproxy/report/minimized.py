"""A search for the smallest drill, as text: what it will cost, each candidate, and what came of it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator

from chaosproxy.runner.minimizing import Minimized, Terms, Tried
from chaosproxy.search.drill import Candidate, Drill, name_of
from chaosproxy.search.minimize import Outcome, expected_candidates

_ENDS = {
    "budget": "the budget is spent: smaller ones were not tried",
    "interrupted": "interrupted: smaller ones were not tried",
    "terminated": "terminated: smaller ones were not tried",
}


def announced(drill: Drill, terms: Terms, run_s: float) -> str:
    """What the search is about, and how long it is expected to take; nothing has run yet."""
    runs = expected_candidates(drill) * (terms.repeats // 2 + 1)
    count = len(drill.fault_ids)
    expected = f"about {runs} runs of {run_s:.1f} s, {_about(runs * run_s)}"
    return (
        f"{terms.expectation}: {count} fault{'' if count == 1 else 's'}; a candidate deviates when"
        f" {terms.repeats // 2 + 1} of {terms.repeats} runs do\n"
        f"{expected} in all; the search ends after {_about(terms.budget_s)} (--budget)"
    )


def tried_line(tried: Tried) -> str:
    """A candidate and what its runs said."""
    return "  ".join([f"{_decision(tried):<12}", f"{_took(tried):>6}", f"{_votes(tried):<24}", tried.candidate.change])


def minimized_text(drill: Drill, minimized: Minimized, file: str, seed: int) -> str:
    """The table of what was tried, and the smallest drill."""
    head = ("#", "outcome", "took", "runs", "candidate")
    rows = [
        (str(number), _decision(tried), _took(tried), _votes(tried), tried.candidate.change)
        for number, tried in enumerate(minimized.tried, 1)
    ]
    runs = sum(len(tried.votes) for tried in minimized.tried)
    took = _about(sum(tried.took_s for tried in minimized.tried))
    lines = [*_columns([head, *rows]), "", f"{len(rows)} candidates, {runs} runs, {took}"]
    if minimized.broken_off:
        lines.append(_ENDS[minimized.broken_off])
    lines += _smallest(drill, minimized, minimized.smallest, file, seed) if minimized.smallest else _nothing(minimized)
    return "\n".join(lines)


def _nothing(minimized: Minimized) -> list[str]:
    if minimized.broken_off:
        return ["", "whether it deviates again was not decided, so there is nothing to go by"]
    said = f": {minimized.tried[0].said}" if minimized.tried and minimized.tried[0].said else ""
    return ["", f"it did not deviate again, so there is nothing to go by{said}"]


def _smallest(drill: Drill, minimized: Minimized, smallest: Candidate, file: str, seed: int) -> Iterator[str]:
    count, of = len(smallest.faults), len(drill.fault_ids)
    words = "it deviates without any fault" if not count else f"{count} of {of} faults: {', '.join(smallest.faults)}"
    yield from ("", f"{'smallest so far' if minimized.broken_off else 'smallest'}: {words}")
    changes = drill.changes(smallest)
    yield from (f"  {name_of(path)} {before} -> {after}" for path, (before, after) in changes.items())
    yield f"again with: {shlex.join(['chaosproxy', 'run', file, '--seed', str(seed)])}"


def _decision(tried: Tried) -> str:
    return "not decided" if tried.outcome is None else tried.outcome.value


def _votes(tried: Tried) -> str:
    counts = Counter(tried.votes)
    return ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome])


def _took(tried: Tried) -> str:
    return f"{tried.took_s:.1f}s"


def _about(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
