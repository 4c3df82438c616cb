"""What a run did beside its faults: hooks, messages to webhooks, a cohort that it spared, and money."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from chaosproxy.journal.records import Hooked, Notified
from chaosproxy.plan.decision import SPARED
from chaosproxy.steady_state.findings import BackendCost, ControlAccount, Finding, HookAccount
from chaosproxy.steady_state.measures import observe
from chaosproxy.steady_state.outcome import Outcome
from chaosproxy.steady_state.spending import Spending
from chaosproxy.steady_state.vocabulary import MEASURES, Needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from chaosproxy.journal.records import AnyRecord
    from chaosproxy.steady_state.claims import Expectation
    from chaosproxy.steady_state.history import History, Story
    from chaosproxy.steady_state.observation import Observation

_OF_THE_RUN = ("upstream_requests", "cost")
"""Measures of exchanges that are no property of a call."""


def costs(history: History) -> tuple[BackendCost, ...]:
    """What each backend was asked for, in the order of the file."""
    spent: defaultdict[str, Spending] = defaultdict(lambda: Spending(history.claims.prices))
    for exchange in history.asked:
        spent[exchange.listener].add(exchange)
    return tuple(_cost(name, spent[name]) for name in history.claims.upstreams or sorted(spent))


def _cost(backend: str, spent: Spending) -> BackendCost:
    return BackendCost(
        backend=backend,
        requests=spent.requests,
        tokens_in=spent.tokens_in,
        tokens_out=spent.tokens_out,
        estimated=spent.estimated,
        money=None if spent.prices is None else spent.money,
        unpriced=tuple(spent.unpriced),
    )


# ----------------------------------------------------------------------------------------------------------- control


def control_account(history: History) -> ControlAccount | None:
    """What became of the calls of the control cohort."""
    if history.claims.control is None:
        return None
    return ControlAccount(calls=len(history.spared), outcomes=outcomes(history.spared))


def outcomes(stories: Iterable[Story]) -> dict[str, int]:
    """How many calls ended how."""
    counts = Counter(story.outcome for story in stories)
    return {outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]}


def in_control(history: History, expectation: Expectation, seen: Observation) -> Observation | None:
    """The same measure over the same window in the control cohort; None where that means nothing."""
    measure = MEASURES[expectation.expect.measure]
    of_calls = measure.needs in (Needs.CLIENT, Needs.EXCHANGES) and measure.name not in _OF_THE_RUN
    if history.claims.control is None or not of_calls or expectation.cohort is not None:
        return None
    window = next(window for window in expectation.over if window.text == seen.window)
    return observe(history, replace(expectation, cohort="control", over=(window,)))[0]


def control_doubts(history: History) -> Iterator[Finding]:
    """Where the cohort was not what the file says, because requests lost on their way what tells them apart."""
    if history.claims.control is None:
        return
    lost = "what stands in between does not pass on what control.match looks at"
    if hit := [story.id for story in history.spared if story.hits]:
        yield _doubt(f"{len(hit)} calls of the control cohort were hit by faults: {lost}", hit)
    if spared := [story.id for story in history.stories if _was_spared(story)]:
        yield _doubt(f"{len(spared)} calls that are not of the control cohort were spared like it: {lost}", spared)
    if not history.spared and history.stories:
        yield _doubt("no call was made in the control cohort", [])


def _was_spared(story: Story) -> bool:
    return any(miss.reason == SPARED for exchange in story.exchanges for miss in exchange.misses)


def _doubt(sentence: str, calls: list[str]) -> Finding:
    return Finding(kind="inconclusive", about=("control",), sentence=sentence, calls=tuple(calls[:50]))


# ------------------------------------------------------------------------------------------------- hooks, webhooks


def hook_accounts(history: History, records: Sequence[AnyRecord]) -> tuple[HookAccount, ...]:
    """What was done outside, in the order of its first time."""
    by_hook: defaultdict[str, list[Hooked]] = defaultdict(list)
    for record in records:
        if isinstance(record, Hooked):
            by_hook[record.hook].append(record)
    since = history.timeline.since_origin
    return tuple(
        HookAccount(
            id=name,
            done_at_s=next((since(each.at) for each in steps if each.what == "do"), None),
            undone_at_s=next((since(each.at) for each in steps if each.what == "undo" and each.ok), None),
            failed="; ".join(f"{each.what}: {each.detail}" for each in steps if not each.ok),
        )
        for name, steps in by_hook.items()
    )


def left_behind(records: Iterable[AnyRecord]) -> Iterator[Finding]:
    """Outside actions that could not be undone: something is broken, however the run itself went."""
    for record in records:
        if isinstance(record, Hooked) and record.what == "undo" and not record.ok:
            sentence = f"hook {record.hook!r} could not be undone ({record.detail}): what it did outside is still there"
            yield Finding(kind="error", about=(record.hook,), sentence=sentence)


def unheard(records: Iterable[AnyRecord]) -> Iterator[Finding]:
    """Webhooks that did not take their messages; that says nothing about the system."""
    told: defaultdict[str, list[Notified]] = defaultdict(list)
    for record in records:
        if isinstance(record, Notified):
            told[record.webhook].append(record)
    for host, messages in told.items():
        if failed := [message for message in messages if not message.ok]:
            many = f"{len(failed)} of {len(messages)} messages"
            yield Finding(kind="note", sentence=f"the webhook at {host} did not take {many}: {failed[0].detail}")
