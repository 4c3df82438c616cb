"""time.first_token, time.inter_token, time.stall and the distributions behind them."""

from __future__ import annotations

from random import Random
from statistics import mean, stdev

import pytest
from pydantic import ValidationError

from chaosproxy.faults.timing.delay import Dist, Law
from chaosproxy.faults.timing.first_token import TimeFirstToken
from chaosproxy.faults.timing.inter_token import TimeInterToken
from tests.faults.playbook import fault, play

UPSTREAM = "ask head role a b c finish done end"
UNTOUCHED = "ask@0 head@1 role@2 a@3 b@4 c@5 finish@6 done@7 end@8"


@pytest.mark.parametrize(
    ("line", "client", "said"),
    [
        (
            "time.first_token mean=2s",
            "ask@0 head@1 role@2 a@5 b@6 c@7 finish@8 done@9 end@10",
            "first token 2s later",
        ),
        (
            "time.inter_token mean=3s",
            "ask@0 head@1 role@2 a@3 b@6 c@9 finish@9 done@9 end@9",
            "tokens at least 3s apart",
        ),
        ("time.inter_token mean=500ms", UNTOUCHED, "not hit: no gap between two tokens was shorter"),
        (
            "time.stall where=token:1 hold=10s",
            "ask@0 head@1 role@2 a@3 b@14 c@15 finish@16 done@17 end@18",
            "stalled after token 1 (10s)",
        ),
        ("time.first_token mean=0s", UNTOUCHED, "not hit: the delay was zero"),
        ("time.stall where=token:1 hold=0s", UNTOUCHED, "not hit: it lasts no time"),
    ],
)
def test_the_same_events_come_later(line: str, client: str, said: str) -> None:
    """In their order, and with the gaps that the fault leaves alone."""
    played = play(line, UPSTREAM)

    assert (played.client, played.said) == (client, said)


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("time.first_token mean=9s", "ask@0 head@1 role@2 a@4.5 b@4.5 c@5 finish@6 done@7 end@8"),
        ("time.inter_token mean=9s", "ask@0 head@1 role@2 a@3 b@4.5 c@5 finish@6 done@7 end@8"),
        ("time.stall where=token:1 hold=9s", "ask@0 head@1 role@2 a@3 b@4.5 c@5 finish@6 done@7 end@8"),
    ],
)
def test_healing_lets_everything_go(line: str, client: str) -> None:
    """What waits leaves at once, and the rest is on time."""
    assert play(line, UPSTREAM, heal_at=4.5).client == client


def test_an_endless_stall_ends_with_its_lease() -> None:
    """As a reset: a client must not wait for ever."""
    played = play("time.stall where=token:1", UPSTREAM, heal_at=60.0)

    assert played.client == "ask@0 head@1 role@2 a@3 rst@60"
    assert played.said == "stalled after token 1 (forever)"


def test_a_stall_may_begin_inside_an_event() -> None:
    """Some of its bytes come, the others after the silence."""
    played = play("time.stall where=byte:15 hold=10s", "ask plain raw raw end", spoken="raw")

    assert played.client == "ask@0 head@1 raw@2 <01234>@3 <56789>@13 end@14"


@pytest.mark.parametrize(
    ("line", "after", "said"),
    [
        ("time.first_token", 4, "not hit: the first token had already passed"),
        ("time.first_token", 3, "first token 1s later"),
        ("time.inter_token mean=2s", 5, "not hit: no gap between two tokens was shorter"),
        ("time.inter_token mean=2s", 4, "tokens at least 2s apart"),
    ],
)
def test_a_delay_may_come_in_mid_stream(line: str, after: int, said: str) -> None:
    """It acts on what is still to come."""
    assert play(line, UPSTREAM, after=after).said == said


@pytest.mark.parametrize("line", ["time.first_token", "time.inter_token"])
def test_an_answer_without_tokens_is_a_miss(line: str) -> None:
    """Not streamed, seen at the head or found out later; broken off; or healed before it came to anything."""
    assert play(line, "ask plain raw end").said == "not hit: the answer was not streamed"
    assert play(line, "ask plain raw raw end", after=2).said == "not hit: the answer was not streamed"
    assert play(line, "ask head role rst").said.startswith("not hit: ")
    assert play(line, UPSTREAM, heal_at=2.5).said.startswith("not hit: ")


def test_a_rounding_error_is_no_delay() -> None:
    """Gaps of one second are not shorter than one second."""
    assert play("time.inter_token mean=1s", UPSTREAM).said == "not hit: no gap between two tokens was shorter"


@pytest.mark.parametrize("dist", ["uniform", "normal", "lognormal", "pareto"])
def test_a_distribution_has_the_mean_that_was_asked_for(dist: Dist) -> None:
    """Within 3 % over many draws, never negative, and with some jitter."""
    dice = Random(7)
    draws = [Law(2.0, 0.5, dist).draw_s(dice) for _ in range(20_000)]

    assert mean(draws) == pytest.approx(2.0, rel=0.03)
    assert min(draws) >= 0
    assert stdev(draws) > 0.2


@pytest.mark.parametrize("dist", ["normal", "lognormal"])
def test_jitter_is_the_standard_deviation(dist: Dist) -> None:
    """Of the distributions that have one by name."""
    dice = Random(7)

    assert stdev(Law(2.0, 0.5, dist).draw_s(dice) for _ in range(20_000)) == pytest.approx(0.5, rel=0.05)


def test_uniform_jitter_is_half_the_width() -> None:
    """Mean minus jitter to mean plus jitter."""
    dice = Random(7)
    draws = [Law(2.0, 0.5, "uniform").draw_s(dice) for _ in range(2_000)]

    assert 1.5 <= min(draws) < 1.51
    assert 2.49 < max(draws) <= 2.5


@pytest.mark.parametrize(("profile", "seconds"), [("7b", (1.0, 3.0)), ("13b", (3.0, 7.0)), ("70b", (10.0, 30.0))])
def test_a_profile_is_a_model_of_that_size(profile: str, seconds: tuple[float, float]) -> None:
    """1 to 3 s, 3 to 7 s, 10 to 30 s on the first token; a hundredth of it per token."""
    first, gap = fault(f"time.first_token profile={profile}"), fault(f"time.inter_token profile={profile}")
    assert isinstance(first, TimeFirstToken)
    assert isinstance(gap, TimeInterToken)
    low, high = seconds

    assert (first.law.mean_s - first.law.jitter_s, first.law.mean_s + first.law.jitter_s) == (low, high)
    assert gap.law.mean_s == pytest.approx(first.law.mean_s / 100)


def test_a_law_speaks_in_sentences() -> None:
    """For hits."""
    assert str(Law(2.0, 0.0)) == "2s"
    assert str(Law(2.0, 0.5, "normal")) == "2s \u00b1 500ms (normal)"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"profile": "7b", "mean": "1s"}, "profile=7b stands in place of mean"),
        ({"dist": "constant", "jitter": "1s"}, "dist=constant has no jitter, got 1s"),
        ({"mean": "1s", "jitter": "2s"}, r"the jitter \(2s\) is at most the mean \(1s\)"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, str], message: str) -> None:
    """With both sides of the contradiction."""
    with pytest.raises(ValidationError, match=message):
        TimeFirstToken.model_validate(values)


def test_constant_is_constant() -> None:
    """And draws nothing."""
    assert fault("time.first_token mean=2s dist=constant") == TimeFirstToken(mean=2.0, dist="constant")
    assert Law(2.0, 0.0, "constant").draw_s(Random(1)) == 2.0
