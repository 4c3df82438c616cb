"""Turns what was observed into findings: one sentence each, the same causes told once."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from chaosproxy.steady_state.causes import Cause, cause_of, how_it_failed, named, too_early
from chaosproxy.steady_state.findings import Finding
from chaosproxy.steady_state.outcome import Outcome, classify, reference_for
from chaosproxy.steady_state.probes import first_failure
from chaosproxy.steady_state.spells import served_by
from chaosproxy.steady_state.vocabulary import MEASURES, Needs, Unit, display
from chaosproxy.steady_state.worst import worst_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from chaosproxy.steady_state.claims import Expectation
    from chaosproxy.steady_state.history import History, Story
    from chaosproxy.steady_state.observation import Observation

CAUSES_PER_EXPECTATION = 3
CALLS_NAMED = 5
CALLS_KEPT = 50


def shown(expectation: Expectation, observation: Observation) -> str:
    """The observed value for people; ``> 15.00s`` when it was not reached within the data."""
    measure = MEASURES[expectation.expect.measure]
    unit = measure.unit_of(expectation.expect.aggregate)
    if observation.value is not None:
        return display(observation.value, unit)
    if measure.unit is Unit.SECONDS and observation.low >= 0:
        return f"> {display(observation.low, unit)}"
    return "unknown"


def deviations(history: History, expectation: Expectation, observation: Observation) -> list[Finding]:
    """Why an expectation deviated: its most frequent causes, or at least what was observed."""
    measure = expectation.expect.measure
    suspects = set(observation.against)
    stories = [story for story in history.stories if story.id in suspects]
    match measure:
        case "failover_time":
            return [_failover(history, expectation, observation, stories)]
        case "recovery_time":
            return [_recovery(history, expectation, observation)]
        case "retry_after_ignored":
            told = _told(stories, lambda story: too_early(history, story))
        case _ if MEASURES[measure].needs is Needs.PROBE:
            return [_probe(history, expectation, observation)]
        case _ if MEASURES[measure].value_of is not None:
            told = []  # what went wrong with a call is not what a measure of the user's is about
        case _ if MEASURES[measure].needs is Needs.CLIENT and measure != "usage_error":
            told = _told(stories, lambda story: cause_of(history, story))
        case _:
            told = []
    findings = [
        Finding(kind="deviated", about=(expectation.id,), sentence=sentence, calls=calls[:CALLS_KEPT])
        for sentence, calls in told[:CAUSES_PER_EXPECTATION]
    ]
    return findings or [_by_value(history, expectation, observation, stories)]


def notes(history: History, held: Iterable[Expectation]) -> list[Finding]:
    """What the system did right under the faults, so that a pass says what it rests on."""
    held = list(held)
    flagged: defaultdict[tuple[str, Outcome], list[str]] = defaultdict(list)
    covered: defaultdict[str, list[str]] = defaultdict(list)
    for story in history.stories:
        if story.outcome is Outcome.ERROR and story.hits_on(story.source) and story.call.text.chars:
            words = f"{named(history, (hit.fault for hit in story.hits_on(story.source)))} hit got flagged as failed"
            flagged[f"{words} ({how_it_failed(story)})", _if_unflagged(history, story)].append(story.id)
        elif story.outcome is Outcome.OK and story.hits and story.source and not story.hits_on(story.source):
            words = f"{named(history, (hit.fault for hit in story.hits))} hit got a whole answer from"
            covered[f"{words} {story.source.listener}"].append(story.id)
    return [
        *(_flagged(held, words, hidden, calls) for (words, hidden), calls in flagged.items()),
        *(_note((), f"{_count(calls)} that {words}", calls) for words, calls in covered.items()),
    ]


def _if_unflagged(history: History, story: Story) -> Outcome:
    """What the call would have become, had nobody told its client of the failure."""
    silent = story.call.model_copy(update={"error": None})
    return classify(silent, reference_for(silent, story.source, history.claims.oracle))


def _flagged(held: Iterable[Expectation], words: str, hidden: Outcome, calls: list[str]) -> Finding:
    resting = (hidden.value, "content_intact")
    about = tuple(dict.fromkeys(expectation.id for expectation in held if expectation.expect.measure in resting))
    because = f"{' and '.join(about)} held only because " if about else ""
    return _note(about, f"{because}{_count(calls)} that {words}", calls)


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """The same sentence only once, about everything that it is about."""
    by_sentence: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.kind, finding.sentence)
        known = by_sentence.get(key)
        about = dict.fromkeys((*(known.about if known else ()), *finding.about))
        by_sentence[key] = finding.model_copy(update={"about": tuple(about)})
    return list(by_sentence.values())


def _note(about: tuple[str, ...], sentence: str, calls: list[str]) -> Finding:
    return Finding(kind="note", about=about, sentence=sentence, calls=tuple(calls[:CALLS_KEPT]))


def _told(stories: Iterable[Story], cause: Callable[[Story], Cause | None]) -> list[tuple[str, tuple[str, ...]]]:
    """Sentences with their calls, the most frequent first."""
    groups: defaultdict[str, list[tuple[Story, float]]] = defaultdict(list)
    for story in stories:
        told = cause(story)
        if told is not None:
            groups[told.words].append((story, told.wait_s))
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [_sentence(words, members) for words, members in ordered]


def _sentence(words: str, members: list[tuple[Story, float]]) -> tuple[str, tuple[str, ...]]:
    calls = [story.id for story, _ in members]
    most = display(max(wait_s for _, wait_s in members), Unit.SECONDS)
    sentence = f"{_count(calls)} {words.replace('{most}', most)}"
    if any(story.answered and story.outcome is not Outcome.OK for story, _ in members):
        sentence += f" ({_some(calls)})"
    return sentence, tuple(calls)


def _count(calls: Sequence[str]) -> str:
    return f"{len(calls)} call{'' if len(calls) == 1 else 's'}"


def _some(calls: Sequence[str]) -> str:
    more = f" and {len(calls) - CALLS_NAMED} more" if len(calls) > CALLS_NAMED else ""
    return f"{', '.join(calls[:CALLS_NAMED])}{more}"


def _plain(expectation: Expectation, observation: Observation) -> Finding:
    sentence = f"{expectation.text} does not hold in {observation.window}: {shown(expectation, observation)}"
    return Finding(kind="deviated", about=(expectation.id,), sentence=sentence, calls=observation.against[:CALLS_KEPT])


def _by_value(history: History, expectation: Expectation, observation: Observation, stories: list[Story]) -> Finding:
    """With the worst calls and what had hit them, where each has a value of its own."""
    plain, worst = _plain(expectation, observation), worst_of(history, expectation, stories)
    if worst is None:
        return plain
    where = "among" if len(worst.calls) > 1 else "in"
    told = f"the worst, {worst.shown}, {where} {_count(worst.calls)} {worst.how} ({_some(worst.calls)})"
    calls = tuple(dict.fromkeys((*worst.calls, *observation.against)))[:CALLS_KEPT]
    return plain.model_copy(update={"sentence": f"{plain.sentence}; {told}", "calls": calls})


def _probe(history: History, expectation: Expectation, observation: Observation) -> Finding:
    """With the first failure in the window, which is what somebody has to look into."""
    probe, plain = expectation.expect.argument or "", _plain(expectation, observation)
    failed = first_failure(history, probe, observation.span)
    return (
        plain.model_copy(update={"sentence": f"{plain.sentence}; {probe} first failed {failed}"}) if failed else plain
    )


def _failover(history: History, expectation: Expectation, seen: Observation, stories: list[Story]) -> Finding:
    fault, took = expectation.expect.argument or "", shown(expectation, seen)
    met = seen.span is not None and seen.span.start > history.timeline.spell(fault).applied_at
    sentence = f"after {named(history, (fault,))} {'met its first call' if met else 'began'}, "
    sentence += f"lasting success was not seen ({took})" if seen.value is None else f"it took {took} to lasting success"
    told = _told(stories, lambda story: cause_of(history, story))
    because = f": {told[0][0]}" if told else ""
    return Finding(
        kind="deviated", about=(expectation.id,), sentence=f"{sentence}{because}", calls=seen.against[:CALLS_KEPT]
    )


def _recovery(history: History, expectation: Expectation, seen: Observation) -> Finding:
    fault = expectation.expect.argument or ""
    targets = next(planned.targets for planned in history.claims.faults if planned.id == fault)
    name, since = " and ".join(targets), history.timeline.healed_at(fault)
    asked = sum(exchange.listener in targets and exchange.began_at >= since for exchange in history.exchanges)
    after = [story for story in history.stories if story.call.intended_at >= since]
    served = sum(served_by(story, targets) for story in after)
    how = "was never asked again" if not asked else f"answered {served} of {len(after)} calls ({asked} requests)"
    if seen.value is None:
        sentence = f"{name} did not get its calls back after {named(history, (fault,))} was healed: it {how}"
    else:
        took = shown(expectation, seen)
        sentence = f"{name} got its calls back only {took} after {named(history, (fault,))} was healed: it {how}"
    return Finding(kind="deviated", about=(expectation.id,), sentence=sentence, calls=seen.against[:CALLS_KEPT])


def inconclusive(expectation: Expectation, observation: Observation) -> Finding:
    """Why nothing can be said about an expectation."""
    seen = shown(expectation, observation)
    known = "" if seen == "unknown" else f" (observed {seen})"
    why = observation.why or "the data ends too early"
    sentence = f"{expectation.text} cannot be judged in {observation.window}{known}: {why}"
    return Finding(kind="inconclusive", about=(expectation.id,), sentence=sentence)
