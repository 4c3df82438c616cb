"""What requests cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaosproxy.runner.checks import Checks
from chaosproxy.steady_state.claims import Abort
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.measures import observe
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.spending import Price, Prices
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import ORIGIN, Drill, edge, expectation

PRICES = Prices({"cheap*": Price(0, 0), "m": Price(1_000, 10_000)})
"""A token of ``m`` costs a thousandth to read and a hundredth to write."""


def edges(at: float, **usage: Any) -> dict[str, Any]:
    """Both sides of an exchange with such usage."""
    return {"received": edge(at, tokens=10, **usage), "sent": edge(at, tokens=3)}


@pytest.fixture
def drill() -> Drill:
    """A run with one paid request a second."""
    drill = Drill()
    drill.claims = replace(drill.claims, prices=PRICES)
    for at in range(60):
        drill.call(f"c{at}", at)
        drill.exchange(f"c{at}", "primary", at, **edges(at, prompt_tokens=100, output_tokens=10))
    return drill


def observed(drill: Drill, text: str, over: str = "all") -> tuple[Any, ...]:
    """State, value and doubt of an expectation."""
    drill.claims = replace(drill.claims, hypothesis=(expectation(text, over),))
    (row,) = judge(drill.journal(), drill.claims).expectations
    return row.state, row.value, row.why


def test_cost_is_what_upstreams_reported_times_the_price(drill: Drill) -> None:
    """0.1 to read and 0.1 to write, sixty times; in a window, what began there."""
    assert observed(drill, "cost <= 12") == (State.HELD, pytest.approx(12), "")
    assert observed(drill, "cost < 11.9")[0] is State.DEVIATED
    assert observed(drill, "cost <= 2", "10s..20s") == (State.HELD, pytest.approx(2), "")


def test_counted_tokens_are_a_doubt_of_a_factor_of_two(drill: Drill) -> None:
    """What the faults left of an answer does not count: what the upstream sent does."""
    drill.exchange("c3", "secondary", 3, asked_tokens=200, **edges(3))
    words = "the tokens of 1 of 61 requests are counted, their upstream did not say"

    assert observed(drill, "cost <= 12.2") == (State.INCONCLUSIVE, pytest.approx(12.3), words)
    assert observed(drill, "cost <= 12.7")[0] is State.HELD
    assert observed(drill, "cost <= 12.1")[0] is State.DEVIATED


def test_a_model_without_a_price_is_never_cheap_enough(drill: Drill) -> None:
    """Nor is it too dear for certain."""
    drill.exchange("c3", "primary", 3, model="dear", **edges(3, prompt_tokens=1, output_tokens=1))

    assert observed(drill, "cost <= 1000") == (State.INCONCLUSIVE, pytest.approx(12), "there is no price for dear")
    assert observed(drill, "cost <= 1")[0] is State.DEVIATED


def test_the_report_says_what_each_backend_cost(drill: Drill) -> None:
    """Also one that was asked for nothing, and none for what never got there."""
    drill.exchange("c3", "secondary", 3, asked_at=None)
    first, second = judge(drill.journal(), drill.claims).cost

    assert (first.backend, first.requests, first.tokens_in, first.tokens_out) == ("primary", 60, 6000, 600)
    assert first.money == pytest.approx(12)
    assert (first.estimated, first.unpriced) == (0, ())
    assert (second.backend, second.requests, second.money) == ("secondary", 0, 0)


def test_without_prices_money_is_unknown_and_not_nothing(drill: Drill) -> None:
    """Tokens are known all the same."""
    drill.claims = replace(drill.claims, prices=None)

    assert judge(drill.journal(), drill.claims).cost[0].money is None
    assert observed(drill, "cost <= 12")[0] is State.INCONCLUSIVE


def test_throughput_is_whole_answers_per_second(drill: Drill) -> None:
    """Failed calls are none."""
    for at in range(30):
        drill.call(f"bad{at}", at, "", error="connect")

    assert observed(drill, "throughput >= 1/s") == (State.HELD, pytest.approx(1), "")
    assert observed(drill, "throughput >= 1.1/s")[0] is State.DEVIATED


def test_a_rate_that_is_met_exactly_holds() -> None:
    """Six calls in 0.6 s are 10/s: the window's ends are sums of floats, and its length is not 0.6000000000000085 s."""
    drill = Drill()
    for number in range(1, 7):
        drill.good(f"c{number}", number / 10)

    (seen,) = observe(drill.history(), expectation("throughput >= 10/s", "100ms..700ms"))

    assert seen.value == 10


class TestAborts:
    """Conditions on money, requests and rates."""

    def met_at(self, drill: Drill, text: str, for_s: float = 0.0) -> float | None:
        """The first second after which the runner would abort."""
        checks = Checks(replace(drill.claims, aborts=(Abort(parse_expression(text), for_s),)))
        waiting = sorted(drill.journal().records, key=record_at)
        for second in range(1, 60):
            while waiting and record_at(waiting[0]) <= ORIGIN + second:
                checks.notice(waiting.pop(0))
            if checks.abort(ORIGIN + second):
                return second
        return None

    def test_totals_are_counted_from_the_begin(self, drill: Drill) -> None:
        """Not over the last seconds."""
        assert self.met_at(drill, "upstream_requests > 20") == 20
        assert self.met_at(drill, "cost > 4.05") == 20
        assert self.met_at(drill, "cost > 100") is None

    def test_they_may_have_to_last(self, drill: Drill) -> None:
        """Since they were met."""
        assert self.met_at(drill, "upstream_requests > 20", for_s=5) == 25

    def test_a_rate_is_that_of_the_last_seconds(self, drill: Drill) -> None:
        """One a second is not less than half of one, whatever the window of the run is."""
        assert self.met_at(drill, "throughput < 0.5/s", for_s=4) is None
        assert self.met_at(drill, "throughput < 1.5/s", for_s=4) is not None
        assert self.met_at(drill, "goodput(e2e <= 9s) < 0.5/s", for_s=4) is None

    def test_measures_of_exchanges_see_exchanges(self, drill: Drill) -> None:
        """Calls that cost three requests each."""
        for at in range(30, 60):
            for _ in range(2):
                drill.exchange(f"c{at}", "secondary", at)

        met = self.met_at(drill, "retries_per_call > 1.5", for_s=2)
        assert met is not None
        assert 31 <= met <= 34


def record_at(record: Any) -> float:
    """When a record is written, about."""
    names = ("end_at", "at", "began_at", "mono")
    return next((float(at) for name in names if (at := getattr(record, name, None)) is not None), 0.0)
