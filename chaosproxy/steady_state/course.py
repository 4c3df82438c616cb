"""How a run itself went: what ended it, what broke, and whether its measuring can be trusted."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chaosproxy.journal.records import Ended, GateJudged, Healed, Opened, Run, Swept, Trouble
from chaosproxy.steady_state.entry_calls import is_call
from chaosproxy.steady_state.findings import FaultAccount, Finding, Health
from chaosproxy.steady_state.our_part import REFUSING_PART
from chaosproxy.steady_state.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chaosproxy.journal.reading import Journal
    from chaosproxy.journal.records import AnyRecord
    from chaosproxy.journal.traffic import Lag
    from chaosproxy.steady_state.history import History

LOSING_PARTS = ("journal", "events")
"""Trouble of these parts means that records were lost."""
STRANGERS_NAMED = 3
ENDED_BADLY = {
    "interrupted": "the run was interrupted",
    "terminated": "the run was terminated",
    "aborted": "the run was aborted",
    "error": "the run ended with an error",
    "unknown": "the journal does not say how the run ended: its last records are missing",
}


@dataclass(frozen=True, slots=True)
class Course:
    """What the journal says about the run itself."""

    run: Run | None
    gate: GateJudged | None
    healed: Healed | None
    ended: Ended | None
    troubles: tuple[Trouble, ...]
    hosts: frozenset[str]

    @property
    def gate_held(self) -> bool | None:
        """None: it was not judged."""
        if self.ended is not None and self.ended.how == "gate":
            return False
        return None if self.gate is None else self.gate.held

    @property
    def how(self) -> str:
        """How the run ended."""
        return "unknown" if self.ended is None else self.ended.how

    @property
    def stopped(self) -> bool:
        """Somebody stopped it: what breaks then is no error."""
        return self.how in ("interrupted", "terminated")


def course_of(records: Sequence[AnyRecord]) -> Course:
    """The last word of a journal on each matter."""
    last: dict[type, Any] = {type(record): record for record in records}
    return Course(
        last.get(Run),
        last.get(GateJudged),
        last.get(Healed),
        last.get(Ended),
        tuple(record for record in records if isinstance(record, Trouble)),
        frozenset(record.host for record in records if isinstance(record, Opened)),
    )


def errors(course: Course) -> Iterator[Finding]:
    """What broke on our side, or did not heal."""
    if course.how == "error":
        yield Finding(kind="error", sentence=f"{ENDED_BADLY['error']}: {course.ended.why if course.ended else ''}")
    if course.healed is not None and not course.healed.verified:
        yield Finding(kind="error", sentence=f"the heal could not be verified: {course.healed.detail}")
    for trouble in course.troubles:
        if trouble.part not in (*LOSING_PARTS, REFUSING_PART) and not course.stopped:
            yield Finding(kind="error", sentence=f"{trouble.part}: {trouble.detail}")


def swept(journal: Journal) -> Iterator[Finding]:
    """What a run that is over had left on a server, and this one removed."""
    names = defaultdict(list)
    for record in journal.records:
        if isinstance(record, Swept):
            names[record.server, record.why].append(record.name)
    for (server, why), left in names.items():
        sentence = f"an earlier run had left {', '.join(left)} on {server}: removed, for {why}"
        yield Finding(kind="note", sentence=sentence)


def doubts(history: History, course: Course, accounts: Sequence[FaultAccount], health: Health) -> Iterator[Finding]:
    """Why a run proves nothing, or less than it seems to."""
    if course.gate_held is False:
        reasons = "; ".join(course.gate.reasons) if course.gate else course.ended.why if course.ended else ""
        how = "was not seen to hold" if course.gate and course.gate.unknown else "did not hold"
        yield _doubt(f"the gate {how}, so nothing was injected: {reasons}", "gate")
        return
    if course.how in ENDED_BADLY and course.how != "error":
        why = f": {course.ended.why}" if course.ended and course.ended.why else ""
        yield _doubt(f"{ENDED_BADLY[course.how]}{why}")
    if history.claims.gate and course.gate is None:
        yield _doubt("nothing in the journal says that the gate held before anything was injected", "gate")
    for account in accounts:
        if not account.enough:
            yield _doubt(f"fault {account.id!r} ({account.type}) {_lack(account)}: {account.why}", account.id)
    if not history.claims.hypothesis:
        yield _doubt("the hypothesis is empty, so nothing was judged")
    yield from _no_traffic(history, course)
    if course.how == "completed":
        yield from _owed_by_a_complete_run(history, course)
    yield from _strangers(history, course)
    yield from _measuring_doubts(course, health)


def _no_traffic(history: History, course: Course) -> Iterator[Finding]:
    """Without any traffic nothing was tested, whatever holds."""
    claims = history.claims
    if claims.external and claims.entry is None and not any(map(is_call, history.asked)):
        yield _doubt("no request for an answer reached our listeners at all")
    elif claims.external and claims.entry is not None and not history.stories:
        others = sum(exchange.listener == claims.entry for exchange in history.exchanges)
        more = f"; {others} other requests are no calls" if others else ""
        yield _doubt(f"no call reached the entry listener {claims.entry!r} at all{more}")
    elif not claims.external and not history.stories and (course.run is None or course.run.load == "own"):
        yield _doubt("no call was made at all")


def _owed_by_a_complete_run(history: History, course: Course) -> Iterator[Finding]:
    if "over" not in history.timeline.marks:
        yield _doubt("records are missing: the run is said to be complete, and no mark says when it was over")
    if course.healed is None and history.timeline.spells:
        yield _doubt("nothing in the journal says that the heal was verified")
    if course.healed is not None and course.healed.seen is False:
        yield _doubt(f"the gate was not seen to hold again after the last fault: {course.healed.detail}", "gate")


def _strangers(history: History, course: Course) -> Iterator[Finding]:
    """Requests with a tag of this run prove calls; one that the load did not report is a hole in the journal."""
    if course.run is None:
        return
    known = {story.id for story in history.everyone} | {call.id for call in history.dropped}
    mine = f"cp-{course.run.nonce}-"
    tags = {exchange.call for exchange in history.exchanges if exchange.call and exchange.call.startswith(mine)}
    if strangers := sorted(tags - known):
        some = f"requests of {len(strangers)} calls were seen that the load did not record"
        yield _doubt(f"records are missing: {some} ({', '.join(strangers[:STRANGERS_NAMED])})")


def _lack(account: FaultAccount) -> str:
    if account.load_hits < account.min_hits:
        others = f" on calls of the load ({account.hits} in all)" if account.hits != account.load_hits else ""
        return f"made {account.load_hits} of at least {account.min_hits} hits{others}"
    return "did not act as planned"


def _measuring_doubts(course: Course, health: Health) -> Iterator[Finding]:
    if health.dropped:
        yield _doubt(f"{health.dropped} calls were never sent because max_in_flight was reached")
    if health.torn:
        yield _doubt("the journal's last line is torn, so records are missing")
    for lost in health.lost:
        yield _doubt(f"records were lost: {lost}")
    if refusing := [trouble.detail for trouble in course.troubles if trouble.part == REFUSING_PART]:
        more = f" (and in {len(refusing) - 1} more records)" if len(refusing) > 1 else ""
        yield _doubt(f"{refusing[0]}{more}")
    if len(course.hosts) > 1:
        yield _doubt(f"the journal comes from {len(course.hosts)} hosts, whose clocks were not compared")


def _doubt(sentence: str, *about: str) -> Finding:
    return Finding(kind="inconclusive", about=about, sentence=sentence)


def health_of(journal: Journal, history: History) -> Health:
    """How far the measuring can be trusted."""
    return Health(
        lag_bound_s=history.claims.lag_bound_s,
        send_lag_p99_s=_worst(history.lags, "send"),
        loop_lag_p99_s=_worst(history.lags, "loop"),
        dropped=len(history.dropped),
        unfinished=sum(story.outcome is Outcome.UNFINISHED for story in history.everyone),
        torn=journal.torn,
        lost=tuple(
            record.detail for record in journal.records if isinstance(record, Trouble) and record.part in LOSING_PARTS
        ),
    )


def _worst(lags: Sequence[Lag], what: str) -> dict[str, float]:
    worst: dict[str, float] = {}
    for lag in lags:
        if lag.what == what:
            worst[lag.process] = max(lag.p99_s, worst.get(lag.process, 0.0))
    return dict(sorted(worst.items()))
