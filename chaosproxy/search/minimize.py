"""The smallest set of faults, with the smallest settings, under which a system still deviates.

Everything here proposes and is sent what came of it; whoever drives it runs the proposals, which takes real time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise
from typing import TypeVar

from chaosproxy.search.drill import Candidate, Drill
from chaosproxy.search.halving import half, halve

T = TypeVar("T")


class Outcome(StrEnum):
    """What one run, or most of several, said about a candidate."""

    DEVIATED = "deviated"
    """The same expectation as in the first place does not hold."""
    HELD = "held"
    INCONCLUSIVE = "inconclusive"
    """Neither: it counts for nothing."""


def majority(votes: Sequence[Outcome], repeats: int) -> Outcome | None:
    """What most of ``repeats`` runs say; None as long as the next run may make it DEVIATED.

    Inconclusive runs count for neither side, so that two deviated ones of three are needed, whatever the third says.
    """
    needed = repeats // 2 + 1
    for outcome in (Outcome.DEVIATED, Outcome.HELD):
        if votes.count(outcome) >= needed:
            return outcome
    missing = needed - votes.count(Outcome.DEVIATED)
    return None if missing <= repeats - len(votes) else Outcome.INCONCLUSIVE


def ddmin(items: Sequence[T]) -> Generator[tuple[T, ...], bool, tuple[T, ...]]:
    """Delta debugging (Zeller and Hildebrandt, 2002): propose parts of ``items``, and what is left without a part.

    Send whether a proposal still fails. The items that come back do, and without any single one of them they do not.
    That all of them fail is taken for granted; the empty set is never proposed.
    """
    left, parts = tuple(items), 2
    failed_not: set[tuple[T, ...]] = set()
    while len(left) > 1:
        pieces = _pieces(left, parts)
        complements = [tuple(item for item in left if item not in piece) for piece in pieces]
        for proposal, next_parts in [(piece, 2) for piece in pieces] + [(rest, parts - 1) for rest in complements]:
            if proposal in failed_not:
                continue
            if (yield proposal):
                left, parts = proposal, max(2, next_parts)
                break
            failed_not.add(proposal)
        else:
            if parts >= len(left):
                break
            parts = min(len(left), 2 * parts)
    return left


def _pieces(items: tuple[T, ...], parts: int) -> list[tuple[T, ...]]:
    """As even as they can be."""
    ends = [round(len(items) * n / parts) for n in range(parts + 1)]
    return [items[start:end] for start, end in pairwise(ends)]


def minimize(drill: Drill) -> Generator[Candidate, Outcome, Candidate | None]:
    """Propose smaller and smaller drills; what comes back is the smallest that deviated.

    None when the whole one did not deviate again, so that there is nothing to go by. Candidates that would be no valid
    file are not proposed.
    """
    whole = drill.whole()
    if (yield whole) is not Outcome.DEVIATED:
        return None
    none = replace(whole, faults=(), change="no fault")
    if drill.fault_ids and drill.is_valid(none) and (yield none) is Outcome.DEVIATED:
        return none
    best = replace(whole, faults=(yield from _steps(ddmin(whole.faults), drill, drill.only)))
    best = yield from _shortened(drill, best)
    kept = best
    settings = yield from _steps(halve(drill.settings(best)), drill, lambda values: drill.with_settings(kept, values))
    best = drill.with_settings(best, settings)
    return (yield from _shortened(drill, best))


def _shortened(drill: Drill, best: Candidate) -> Generator[Candidate, Outcome, Candidate]:
    """With a timeline that ends with the last fault: every later run is quicker."""
    shorter = drill.shortened(best)
    if shorter is not None and drill.is_valid(shorter) and (yield shorter) is Outcome.DEVIATED:
        return shorter
    return best


def _steps(
    steps: Generator[T, bool, T], drill: Drill, candidate_of: Callable[[T], Candidate]
) -> Generator[Candidate, Outcome, T]:
    """The proposals of ``steps`` as candidates; one that is no valid file does not deviate."""
    try:
        proposal = next(steps)
        while True:
            candidate = candidate_of(proposal)
            deviated = drill.is_valid(candidate) and (yield candidate) is Outcome.DEVIATED
            proposal = steps.send(deviated)
    except StopIteration as ended:
        result: T = ended.value
        return result


def expected_candidates(drill: Drill) -> int:
    """How many candidates a search takes in which two faults matter and each of their values can be halved once."""
    ids = drill.fault_ids
    matter = {*ids[:1], *ids[-1:]}
    whole = drill.settings(drill.whole())

    def outcome(candidate: Candidate) -> Outcome:
        values = ((whole[path], value) for path, value in candidate.settings.items() if path in whole)
        enough = all(value in (before, half(before)) for before, value in values)
        return Outcome.DEVIATED if matter <= set(candidate.faults) and enough else Outcome.HELD

    return _count(minimize(drill), outcome)


def _count(search: Generator[Candidate, Outcome, Candidate | None], outcome: Callable[[Candidate], Outcome]) -> int:
    count = 0
    try:
        candidate = next(search)
        while True:
            count += 1
            candidate = search.send(outcome(candidate))
    except StopIteration:
        return count
