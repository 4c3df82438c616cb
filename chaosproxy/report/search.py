"""What ``chaosproxy search`` and ``replay`` print."""

from __future__ import annotations

from pathlib import Path

from chaosproxy.search.case import Case, case_text
from chaosproxy.search.observation import Observation, Plan, Setting


def heading(target: str, setting: Setting, *, max_faults: int, examples: int, seed: int, virtual: bool) -> str:
    """What is about to be done."""
    clock = "virtual time" if virtual else "real time (it is not async, so its waits are real)"
    at = ", ".join(setting.listeners)
    what = f"up to {max_faults} {_plural(max_faults, 'fault')} at {at}, {examples} {_plural(examples, 'example')}"
    return f"search {target}: {clock}, {setting.dialect}, {what}, seed {seed}"


def finding(case: Case, path: Path, *, after: int, shrinking: int) -> str:
    """One finding, its file, and how to try it again."""
    return "\n".join(
        [
            "",
            f"FOUND {case.broken.flaw}: the call {case.broken.words}",
            f"  after {after} {_plural(after, 'example')}; {shrinking} {_plural(shrinking, 'run')} to shrink it to",
            *(f"  | {line}" for line in case_text(case).splitlines() if not line.startswith("#")),
            f"  replay: chaosproxy replay {path}",
        ]
    )


def summary(count: int, *, failing: int, examples: int, runs: int, took_s: float) -> str:
    """The last line. ``failing`` are earlier findings that still fail."""
    new = "nothing new found" if failing else "nothing found"
    found = f"{count} {_plural(count, 'finding')}" if count else new
    return f"\n{found}: {examples} examples, {runs} runs in {took_s:.1f} s"


def replayed(name: str, plan: Plan, seen: Observation, words: str | None) -> str:
    """What became of a case that was tried again; ``words`` say how it still fails."""
    if words is not None:
        return f"STILL FAILS {name}: the call {words}"
    if unmet := not_met(plan, seen):
        return f"INCONCLUSIVE {name}: {', '.join(unmet)} met no request of the call, which {_end(seen)}"
    return f"FIXED {name}: the call {_end(seen)}"


def not_met(plan: Plan, seen: Observation) -> tuple[str, ...]:
    """The faults of a plan, when none of them took effect. A port that refuses sees no request and counts as met."""
    if any(rule.id in seen.hit or rule.do.gate() is not None for rule in plan):
        return ()
    return tuple(rule.id for rule in plan)


def _end(seen: Observation) -> str:
    if seen.error is not None:
        return f"raised {seen.error}"
    return "returned the whole text" if seen.text == seen.expected else "returned what it was told"


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
