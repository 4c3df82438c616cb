"""What is enumerated, what is left out and why, on clients that are simulated in a few lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chaosproxy.faults import build
from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import Edge, ExchangeRecord, FaultHit
from chaosproxy.search.effect import Slot, effect_of
from chaosproxy.search.observation import Observation, Plan
from chaosproxy.search.promise import default_promise
from chaosproxy.search.systematic import Coverage, Injection, applicable, explore

WHOLE = "once upon a time"
LIMIT, ERROR, CUT, FIN, COMMENT, LINES, UNMET = range(7)
FAULTS = tuple(
    build({"type": name})
    for name in (
        "http.rate_limit",
        "http.status",
        "stream.truncate",
        "stream.fin",
        "sse.comment",
        "sse.line_end",
        "llm.usage",
    )
)
SENT = {
    LIMIT: Edge(status=429, end_at=0.0, ended="end", retry_after_s=1.0),
    ERROR: Edge(status=500, end_at=0.0, ended="end"),
    CUT: Edge(status=200, end_at=0.0, ended="end", text=fingerprint(WHOLE[:4])),
    FIN: Edge(status=200, end_at=0.0, ended="fin", text=fingerprint(WHOLE[:4])),
}
FINE = Edge(status=200, end_at=0.0, ended="end", terminal=True, finish="stop", text=fingerprint(WHOLE))
FIRST, SECOND, BACKUP = Slot("primary", 1), Slot("primary", 2), Slot("secondary", 1)


@dataclass
class Wire:
    """What a simulated client asks; every request takes no time."""

    plan: Plan
    exchanges: list[ExchangeRecord] = field(default_factory=list)
    hits: list[FaultHit] = field(default_factory=list)

    def ask(self, listener: str = "primary") -> Edge:
        """The answer to its next request there."""
        at = float(len(self.exchanges))
        ordinal = 1 + sum(each.listener == listener for each in self.exchanges)
        sent, name = FINE, f"{listener}-{ordinal}"
        for rule in self.plan:
            number = next(n for n, fault in enumerate(FAULTS) if fault == rule.do)
            if number != UNMET and rule.listeners == (listener,) and rule.match.nth == ordinal:
                self.hits.append(FaultHit(fault=rule.id, at=at, listener=listener, exchange=name))
                sent = SENT.get(number, sent)
        self.exchanges.append(
            ExchangeRecord(
                id=name, listener=listener, ordinal=ordinal, call="c", attempt=1, method="POST", path="/",
                dialect="openai.chat", model="m", stream=True, began_at=at, sent=sent.model_copy(update={"end_at": at}),
            )
        )  # fmt: skip
        return sent


Client = Callable[[Wire], str | None]


def tried(client: Client, max_faults: int = 2) -> tuple[Coverage, list[tuple[Injection, ...]]]:
    """What is covered for a client, and the plans that were run."""

    def run(plan: Plan) -> Observation:
        wire = Wire(plan)
        text = client(wire)
        return Observation(
            expected=WHOLE,
            text=text,
            error=None if text is not None else "Incomplete: half an answer",
            error_type=None if text is not None else "Incomplete",
            hung=False,
            took_s=0.0,
            deadline_s=60.0,
            exchanges=tuple(wire.exchanges),
            hits=tuple(wire.hits),
        )

    coverage = explore(run, FAULTS, default_promise(10), max_faults=max_faults)
    return coverage, [attempt.injections for attempt in coverage.attempts]


def text_of(sent: Edge) -> str | None:
    """What a careful client makes of an answer."""
    return WHOLE if sent.finish else None


def once(wire: Wire) -> str | None:
    """Never asks again."""
    return text_of(wire.ask())


def patient(wire: Wire) -> str | None:
    """Asks again after an error, and takes what comes then for whole: there is its bug."""
    if (sent := wire.ask()).status != 200:
        return WHOLE[: wire.ask().text.chars]
    return text_of(sent)


def test_a_client_that_never_asks_again_is_given_each_fault_once() -> None:
    """No second exchange was seen, so no pair can be."""
    coverage, plans = tried(once)

    assert plans == [(Injection(FIRST, number),) for number in range(len(FAULTS))]
    assert (list(coverage.slots), coverage.runs, coverage.brute_runs) == ([FIRST], 8, 8)
    assert list(coverage.broken()) == []


def test_a_retry_is_explored_from_the_faults_that_cause_it() -> None:
    """Nothing is combined with faults after which there is no retry."""
    coverage, plans = tried(patient)

    assert list(coverage.slots) == [FIRST, SECOND]
    assert {plan[0].fault for plan in plans if len(plan) == 2} == {LIMIT, ERROR}
    found = {each.broken.key: each.injections for each in coverage.broken() if each.broken is not None}
    assert found == {
        "silent_empty": (Injection(FIRST, LIMIT), Injection(SECOND, LIMIT)),
        "silent_truncated": (Injection(FIRST, LIMIT), Injection(SECOND, CUT)),
    }


def test_the_verdict_of_a_pair_is_as_if_it_was_tried() -> None:
    """Of one that was not run, because its second exchange does not happen, or because another stands for it."""
    coverage, plans = tried(patient)
    cut_after_error = (Injection(FIRST, ERROR), Injection(SECOND, CUT))
    cut_after_cut = (Injection(FIRST, CUT), Injection(SECOND, CUT))

    broken = coverage.verdict(cut_after_error)
    assert broken is not None
    assert broken.key == "silent_truncated"
    assert cut_after_cut not in plans
    assert coverage.verdict(cut_after_cut) is None


def test_a_fault_without_effect_is_combined_with_none() -> None:
    """A client that always asks twice: its second exchange after a comment is its second exchange."""

    def twice(wire: Wire) -> str | None:
        first, second = wire.ask(), wire.ask("secondary")
        return WHOLE if first.finish and second.finish else None

    coverage, plans = tried(twice)

    firsts = {plan[0].fault for plan in plans if len(plan) == 2}
    assert firsts == {LIMIT, ERROR, CUT, FIN}
    assert list(coverage.slots) == [FIRST, BACKUP]
    assert (Injection(FIRST, COMMENT),) in plans
    second = Injection(BACKUP, CUT)
    assert coverage.verdict((Injection(FIRST, COMMENT), second)) == coverage.verdict((second,)) is not None


def test_of_a_class_only_the_first_is_tried_after_another_fault() -> None:
    """Comments and other line ends are the same to this client; what took no effect is of no class."""
    coverage, plans = tried(patient)

    assert {plan[1].fault for plan in plans if len(plan) == 2} == {LIMIT, ERROR, CUT, FIN, COMMENT, UNMET}
    after_limit = Injection(FIRST, LIMIT)
    assert coverage.like[after_limit, Injection(SECOND, LINES)] == (after_limit, Injection(SECOND, COMMENT))
    assert coverage.runs == 1 + len(FAULTS) + 2 * 6


def test_three_at_once() -> None:
    """A client that asks three times has a bug that needs all three."""

    def stubborn(wire: Wire) -> str | None:
        for _ in range(2):
            if (sent := wire.ask()).status == 200:
                return text_of(sent)
        return WHOLE[: wire.ask().text.chars]

    assert [len(each.injections) for each in tried(stubborn, 2)[0].broken()] == []
    assert {len(each.injections) for each in tried(stubborn, 3)[0].broken()} == {3}


def test_faults_on_connections_are_not_for_one_exchange() -> None:
    """A refused port, a slow link: they would hit the neighbours, too."""
    names = {fault.type for fault in applicable("openai.chat")}

    assert {"http.status", "stream.truncate", "conn.reset"} <= names
    assert not {name for name in names if name.startswith(("toxic.", "ws."))}
    assert "conn.refuse" not in names


def test_an_exchange_that_did_not_happen_has_no_effect() -> None:
    """A fault may keep the exchange from happening that another one was meant for."""
    seen = Observation(WHOLE, WHOLE, None, None, False, 0.0, 60.0)

    assert effect_of(seen, FIRST) is None
