"""Two runs of one experiment side by side: what is better, what is worse, and what is a regression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from chaosproxy.steady_state.findings import FaultAccount, Judged, Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.outcome import FLAWED, Outcome
from chaosproxy.steady_state.vocabulary import Unit, display

REL_NOISE = 0.1
"""Values that differ by less than this part of the former are told as the same: two runs are never equal."""
_RANK = {State.HELD: 0, State.INCONCLUSIVE: 1, State.DEVIATED: 2}
_WORST = frozenset({*FLAWED, Outcome.HUNG})
"""Outcomes that no run may begin to have."""


class Kind(StrEnum):
    """What a difference means."""

    REGRESSION = "regression"
    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, in words."""

    what: str
    before: str
    after: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Comparison:
    """``before`` and ``after`` are the ids of the runs; ``unknown``: why nothing can be said.

    ``same``: expectations that came out alike, so that both lists together are a table of the two runs.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    unknown: str = ""
    same: tuple[Change, ...] = ()

    @property
    def exit_code(self) -> int:
        """0: no regression; 1: there is one; 3: nothing can be said."""
        if any(change.kind is Kind.REGRESSION for change in self.changes):
            return 1
        return 3 if self.unknown else 0


def compare(before: Verdict, after: Verdict) -> Comparison:
    """What changed from one run to the other."""
    changes = [
        *_verdicts(before, after),
        *_expectations(before, after),
        *_outcomes(before, after),
        *_faults(before, after),
    ]
    changes.sort(key=lambda change: list(Kind).index(change.kind))
    doubtful = [("later", after), ("earlier", before)]
    unsure = (
        f"the {which} run is inconclusive: {one.headline}"
        for which, one in doubtful
        if one.verdict is State.INCONCLUSIVE
    )
    unknown = next(unsure, "")
    told = {change.what for change in changes}
    same = tuple(change for change in _alike(before, after) if change.what not in told)
    return Comparison(before.run_id or before.name, after.run_id or after.name, tuple(changes), unknown, same)


def _alike(before: Verdict, after: Verdict) -> Iterator[Change]:
    former = {_key(row): row for row in before.expectations}
    for row in after.expectations:
        if (known := former.get(_key(row))) is not None:
            yield Change(f"{row.text} [{row.window}]", _seen(known), _seen(row), Kind.SAME)


def _seen(row: Judged) -> str:
    return f"{row.state.value}, {row.observed}"


def _verdicts(before: Verdict, after: Verdict) -> Iterator[Change]:
    if before.verdict is not after.verdict:
        yield Change("verdict", before.verdict.value, after.verdict.value, _states(before.verdict, after.verdict))


def _states(before: State, after: State) -> Kind:
    """What is not known any more is worse, and no regression: nobody has seen one."""
    if after is State.DEVIATED:
        return Kind.REGRESSION if before is State.HELD else Kind.WORSE
    return Kind.WORSE if _RANK[after] > _RANK[before] else Kind.BETTER


def _expectations(before: Verdict, after: Verdict) -> Iterator[Change]:
    former = {_key(row): row for row in before.expectations}
    for row in after.expectations:
        known = former.pop(_key(row), None)
        what = f"{row.text} [{row.window}]"
        if known is None:
            yield Change(what, "-", _seen(row), Kind.CHANGED)
        elif known.state is not row.state:
            yield Change(what, _seen(known), _seen(row), _states(known.state, row.state))
        elif (kind := _margins(known, row)) is not None:
            yield Change(what, known.observed, row.observed, kind)
    for row in former.values():
        yield Change(f"{row.text} [{row.window}]", _seen(row), "-", Kind.CHANGED)


def _key(row: Judged) -> tuple[str, str, str | None]:
    return row.id, row.window, row.cohort


def _margins(before: Judged, after: Judged) -> Kind | None:
    if before.margin is None or after.margin is None or before.value is None or after.value is None:
        return None
    if abs(after.value - before.value) <= REL_NOISE * abs(before.value):
        return None
    return Kind.BETTER if after.margin > before.margin else Kind.WORSE


def _outcomes(before: Verdict, after: Verdict) -> Iterator[Change]:
    for outcome in Outcome:
        was, now = before.outcomes.get(outcome.value, 0), after.outcomes.get(outcome.value, 0)
        share_was, share_now = was / max(before.calls, 1), now / max(after.calls, 1)
        if was == now or abs(share_now - share_was) <= REL_NOISE * share_was:
            continue
        worse = (share_now > share_was) is not (outcome is Outcome.OK)
        kind = Kind.WORSE if worse else Kind.BETTER
        if outcome in _WORST and not was:
            kind = Kind.REGRESSION
        yield Change(f"calls with outcome {outcome.value}", _part(was, share_was), _part(now, share_now), kind)


def _part(count: int, share: float) -> str:
    return f"{count} ({display(share, Unit.SHARE)})"


def _faults(before: Verdict, after: Verdict) -> Iterator[Change]:
    former = {account.id: account for account in before.faults}
    for account in after.faults:
        known = former.get(account.id)
        if known is None:
            continue
        if known.enough is not account.enough:
            kind = Kind.BETTER if account.enough else Kind.WORSE
            yield Change(f"hits of {account.id}", str(known.load_hits), str(account.load_hits), kind)
        judged = {row.text.partition(" ")[0] for row in after.expectations}  # told with their bounds already
        yield from (change for change in _times(known, account) if change.what not in judged)


def _times(before: FaultAccount, after: FaultAccount) -> Iterator[Change]:
    for name, was, now in (
        ("failover_time", before.failover_s, after.failover_s),
        ("recovery_time", before.recovery_s, after.recovery_s),
    ):
        if was is None and now is None:
            continue
        words = tuple("not seen" if value is None else display(value, Unit.SECONDS) for value in (was, now))
        what = f"{name}({after.id})"
        if was is None or now is None:
            yield Change(what, words[0], words[1], Kind.CHANGED)
        elif abs(now - was) > REL_NOISE * was:
            yield Change(what, words[0], words[1], Kind.BETTER if now < was else Kind.WORSE)
