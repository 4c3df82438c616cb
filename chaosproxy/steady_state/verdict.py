"""From a journal and the claims to one verdict: held, deviated or inconclusive, with the reasons and an exit code.

Judging reads nothing else, so a finished run can be judged again with the same result, byte for byte.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chaosproxy.steady_state.accounts import account_of
from chaosproxy.steady_state.bypass import bypassed
from chaosproxy.steady_state.course import ENDED_BADLY, Course, course_of, doubts, errors, health_of, swept
from chaosproxy.steady_state.findings import Finding, Judged, Verdict
from chaosproxy.steady_state.history import History, history_of
from chaosproxy.steady_state.measures import observe
from chaosproxy.steady_state.narration import deviations, inconclusive, merged, notes, shown
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.outside import (
    control_account,
    control_doubts,
    costs,
    hook_accounts,
    in_control,
    left_behind,
    outcomes,
    unheard,
)
from chaosproxy.steady_state.probes import account_of_probe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel

    from chaosproxy.journal.reading import Journal
    from chaosproxy.journal.records import Run
    from chaosproxy.steady_state.claims import Claims, Expectation
    from chaosproxy.steady_state.observation import Observation

EXIT_CODES = {State.HELD: 0, State.DEVIATED: 1, State.INCONCLUSIVE: 3}
ABORTED, ERROR, INTERRUPTED, TERMINATED = 4, 5, 130, 143


def judge(journal: Journal, claims: Claims) -> Verdict:
    """The verdict over a finished (or broken off) run."""
    history, course = history_of(journal.records, claims), course_of(journal.records)
    accounts = tuple(account_of(history, fault, completed=course.how == "completed") for fault in claims.faults)
    health = health_of(journal, history)
    rows = [] if course.gate_held is False else list(_rows(history, claims))
    findings = merged(
        [
            *errors(course),
            *left_behind(journal.records),
            *(finding for row in rows for finding in row.findings(history)),
            *doubts(history, course, accounts, health),
            *control_doubts(history),
            *notes(history, (row.expectation for row in rows if row.state is State.HELD)),
            *swept(journal),
            *unheard(journal.records),
        ]
    )
    findings = [*bypassed(history, course, health, findings), *findings]
    findings.sort(key=lambda finding: _IMPORTANCE.index(finding.kind))
    state = _state(course, findings)
    return Verdict(
        verdict=state,
        exit_code=_exit_code(course, findings, state),
        headline=_headline(course, state, findings, rows),
        ended=course.ended.how if course.ended else "unknown",
        ended_why=course.ended.why if course.ended else "",
        name=claims.name,
        question=claims.question,
        run_id=course.run.id if course.run else None,
        seed=course.run.seed if course.run else None,
        replay=replay_line(course.run) if course.run else None,
        gate_held=course.gate_held,
        heal_verified=course.healed.verified if course.healed else None,
        findings=tuple(findings),
        expectations=tuple(row.judged(history) for row in rows),
        faults=accounts,
        probes=tuple(account_of_probe(history, probe) for probe in claims.probes),
        calls=len(history.stories),
        outcomes=outcomes(history.stories),
        exchanges=len(history.asked),
        control=control_account(history),
        hooks=hook_accounts(history, journal.records),
        cost=costs(history),
        watches_cost=claims.watches_cost,
        answered_by=claims.answered_by,
        health=health,
    )


def verdict_json(verdict: Verdict) -> str:
    """The verdict as JSON text, the same bytes for the same verdict: keys as declared, six digits, a final newline."""
    return report_json(verdict)


def report_json(report: BaseModel) -> str:
    """Any report in the same form; numbers without end are null."""
    values = _rounded(report.model_dump(mode="json"))
    return json.dumps(values, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def replay_line(run: Run) -> str:
    """The command that repeats a run with its seed, variables and swept values."""
    overrides = [part for name, value in sorted(run.vars.items()) for part in ("-D", f"{name}={value}")]
    settings = [part for path, value in run.settings.items() for part in ("--sweep", f"{path}={value}")]
    attach = ["--attach", run.attach] if run.attach else []
    return shlex.join(["chaosproxy", "run", run.file, "--seed", str(run.seed), *overrides, *settings, *attach])


# ------------------------------------------------------------------------------------------------------ expectations


@dataclass(frozen=True, slots=True)
class _Row:
    """An expectation in one of its windows."""

    expectation: Expectation
    observation: Observation

    @property
    def state(self) -> State:
        return self.observation.state(self.expectation.expect)

    def findings(self, history: History) -> list[Finding]:
        """Why it did not hold."""
        match self.state:
            case State.DEVIATED:
                return deviations(history, self.expectation, self.observation)
            case State.INCONCLUSIVE:
                return [inconclusive(self.expectation, self.observation)]
            case State.HELD:
                return []

    def judged(self, history: History) -> Judged:
        """As a line of the report."""
        expectation, seen = self.expectation, self.observation
        span = seen.span
        spared = in_control(history, expectation, seen)
        return Judged(
            id=expectation.id,
            text=expectation.expect.text,
            window=seen.window if expectation.load is None else f"{seen.window} (load {expectation.load})",
            cohort=expectation.cohort,
            state=self.state,
            observed=shown(expectation, seen),
            value=seen.value,
            bound=expectation.expect.value,
            margin=seen.margin(expectation.expect),
            samples=seen.samples,
            from_s=None if span is None else history.timeline.since_origin(span.start),
            to_s=None if span is None else history.timeline.since_origin(span.end),
            why=seen.why,
            control=None if spared is None else shown(expectation, spared),
            control_value=None if spared is None else spared.value,
            against=len(seen.against),
            first_against=seen.against[0] if seen.against else None,
        )


def _rows(history: History, claims: Claims) -> Iterator[_Row]:
    for expectation in claims.hypothesis:
        for observation in observe(history, expectation):
            yield _Row(expectation, observation)


# ------------------------------------------------------------------------------------------------------- the verdict

_BY_END = {"interrupted": INTERRUPTED, "terminated": TERMINATED, "aborted": ABORTED}
_IMPORTANCE = ("error", "deviated", "inconclusive", "note")


def _state(course: Course, findings: Sequence[Finding]) -> State:
    kinds = {finding.kind for finding in findings}
    if "deviated" in kinds:
        return State.DEVIATED
    unsure = kinds & {"inconclusive", "error"} or course.how != "completed"
    return State.INCONCLUSIVE if unsure else State.HELD


def _exit_code(course: Course, findings: Sequence[Finding], state: State) -> int:
    """Of several reasons the first of 5, 130 (or 143), 4, 1, 3, 0."""
    if any(finding.kind == "error" for finding in findings):
        return ERROR
    return _BY_END.get(course.how, EXIT_CODES[state])


def _headline(course: Course, state: State, findings: Sequence[Finding], rows: Sequence[_Row]) -> str:
    first = findings[0] if findings else None
    if course.how in _BY_END and course.ended is not None:
        return f"{ENDED_BADLY[course.how]}: {course.ended.why}" if course.ended.why else ENDED_BADLY[course.how]
    if state is State.HELD or first is None:
        held = "the 1 expectation held" if len(rows) == 1 else f"all {len(rows)} expectations held"
        return held + (f"; {first.sentence}" if first else "")
    return first.sentence


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, 6) + 0.0 if abs(value) < float("inf") else None
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case list():
            return [_rounded(item) for item in value]
    return value
