"""Measures of a user's own: the same rows, samples and bounds as ours."""

from __future__ import annotations

import pytest

from chaosproxy.errors import BadValue
from chaosproxy.journal.traffic import Lag
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.history import Story
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.outcome import Outcome
from chaosproxy.steady_state.own import measure
from chaosproxy.steady_state.verdict import judge
from chaosproxy.steady_state.vocabulary import MEASURES, Better, Measure, Needs, Unit
from tests.steady_state.drills import ORIGIN, Drill


@measure(unit=Unit.SHARE, better=Better.HIGHER)
def acme_told(story: Story) -> float | None:
    """Failed calls whose client was told, of all that failed."""
    return None if story.outcome is Outcome.OK else float(story.admitted)


@measure(unit=Unit.COUNT)
def acme_errors(story: Story) -> float | None:
    """Calls with an error."""
    return float(story.call.error is not None)


@measure(unit=Unit.SECONDS)
def acme_thinking(story: Story) -> float | None:
    """From the head to the first content."""
    call = story.call
    return None if call.head_at is None or call.first_content_at is None else call.first_content_at - call.head_at


@measure(unit=Unit.NUMBER, edge=Needs.EXCHANGES)
def acme_attempts(story: Story) -> float | None:
    """Requests that a call cost."""
    return float(len(story.exchanges))


@measure(unit=Unit.COUNT)
def acme_not_ok(story: Story) -> float | None:
    """Calls with another outcome than ok."""
    return story.outcome is not Outcome.OK


@measure(unit=Unit.COUNT)
def acme_broken(story: Story) -> float | None:
    """It has a mistake."""
    raise KeyError("gone")


OWN = (acme_told, acme_errors, acme_thinking, acme_attempts, acme_not_ok, acme_broken)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MEASURES, "_registered", {})
    for row in OWN:
        MEASURES.register(row)


@pytest.fixture
def drill() -> Drill:
    """Sixty good calls and two that failed."""
    drill = Drill()
    drill.traffic(0, 60)
    drill.call("bad", 5.5, "", error="connect")
    drill.call("worse", 6.5, "")
    return drill


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("acme_told == 50%", 0.5),
        ("acme_errors == 1", 1.0),
        ("acme_thinking.max <= 101ms", 0.1),
        ("acme_attempts.max == 1", 1.0),
    ],
)
def test_it_is_measured_like_ours(drill: Drill, text: str, value: float) -> None:
    """A share is a mean, a count a sum, the others have aggregates; None is left out."""
    drill.expect(text)

    (row,) = judge(drill.journal(), drill.claims).expectations

    assert row.state is State.HELD
    assert row.value == pytest.approx(value)


def test_a_deviation_is_told_plainly(drill: Drill) -> None:
    """Causes of failed calls are not what it is about."""
    drill.expect("acme_errors == 0")

    assert judge(drill.journal(), drill.claims).headline == "acme_errors == 0 does not hold in all: 1"


def test_an_uncertain_outcome_gives_bounds(drill: Drill) -> None:
    """A call that has not ended may be anything."""
    drill.sent("open", 7.5)
    drill.expect("acme_told >= 50%")
    drill.expect("acme_told >= 10%", id="sure")

    rows = judge(drill.journal(), drill.claims).expectations

    assert [row.state for row in rows] == [State.INCONCLUSIVE, State.HELD]
    assert "1 calls had not ended" in rows[0].why


def test_a_call_that_has_not_ended_may_take_any_time(drill: Drill) -> None:
    """What is measured of it so far is not what it will be."""
    drill.sent("open", 7.5)
    drill.expect("acme_thinking.max <= 1s")

    (row,) = judge(drill.journal(), drill.claims).expectations

    assert row.state is State.INCONCLUSIVE


def test_a_failure_that_may_be_ours_is_counted_both_ways(drill: Drill) -> None:
    """While our own processes were late, a call that failed may have been a good one."""
    drill.expect("acme_not_ok == 2")
    before = judge(drill.journal(), drill.claims).expectations[0].state
    drill.records.append(Lag(process="load", what="loop", at=ORIGIN + 6, samples=10, p99_s=0.9, max_s=0.9))
    drill.expect("acme_not_ok <= 2", id="at most")

    rows = judge(drill.journal(), drill.claims).expectations

    assert before is State.HELD
    assert [row.state for row in rows] == [State.INCONCLUSIVE, State.HELD]


def test_one_with_a_mistake_proves_nothing(drill: Drill) -> None:
    """The reason names the call."""
    drill.expect("acme_broken == 0")

    verdict = judge(drill.journal(), drill.claims)

    assert verdict.exit_code == 3
    assert "acme_broken failed on call good-primary-0-0: KeyError: 'gone'" in verdict.headline


def test_it_is_written_like_ours() -> None:
    """With the unit and the aggregate of its row."""
    with pytest.raises(BadValue, match=r"acme_told is compared with a share"):
        parse_expression("acme_told >= 1")
    with pytest.raises(BadValue, match="acme_thinking has a value per call"):
        parse_expression("acme_thinking <= 1s")


def test_the_function_stays_within_reach() -> None:
    """For tests of one's own."""
    assert acme_told.value_of is not None
    assert acme_told.meaning == "Failed calls whose client was told, of all that failed."


def _named(name: str, doc: str | None = "It is.", unit: Unit = Unit.COUNT) -> Measure:
    def value(story: Story) -> float | None:
        return 0.0

    value.__doc__ = doc
    return measure(unit=unit, name=name)(value)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (_named("success"), "'success' is a measure of chaosproxy's own"),
        (_named("probe"), "'probe' is a measure of chaosproxy's own"),
        (_named("acme_errors"), "two measures are called 'acme_errors'"),
        (_named("Acme.errors"), "a measure is called like acme_refusals"),
        (_named("acme_mute", doc=None), "misses a docstring"),
        (_named("acme_rate", unit=Unit.PER_SECOND), "is a share, seconds, a count or a number"),
    ],
)
def test_what_cannot_be_a_measure_is_refused(row: Measure, words: str) -> None:
    """The same one twice is no mistake."""
    MEASURES.register(acme_errors)
    with pytest.raises(BadValue, match=words.replace("'", ".")):
        MEASURES.register(row)
