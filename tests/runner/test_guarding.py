"""The limits of ``safety`` while a run goes on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chaosproxy.errors import UserError
from chaosproxy.experiment.safety import Safety
from chaosproxy.journal.traffic import Edge, ExchangeRecord
from chaosproxy.runner.guarding import Guard, refuse_outside_hours
from tests.experiment.files import lab

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)  # a Wednesday


PRICES = {"m": {"input": 1, "output": 100}}


def asked(at: float, model: str | None = "m", tokens: int | None = 10, **facts: object) -> ExchangeRecord:
    """A request that reached its upstream, which reported its tokens."""
    received = Edge(prompt_tokens=tokens, output_tokens=tokens, tokens=4)
    return ExchangeRecord.model_validate(
        {
            "id": f"x{at}",
            "listener": "a",
            "ordinal": 1,
            "call": None,
            "attempt": 1,
            "method": "POST",
            "path": "/",
            "dialect": "openai.chat",
            "model": model,
            "stream": True,
            "began_at": at,
            "asked_at": at,
            "received": received,
            **facts,
        }
    )


def guard(now: datetime = NOON, **limits: object) -> Guard:
    """One with these limits, at noon."""
    return Guard(Safety.model_validate(limits), lambda: now)


def breach_of(guard: Guard, *exchanges: ExchangeRecord) -> str | None:
    """What it says after these."""
    for exchange in exchanges:
        guard.notice(exchange)
    return guard.breach()


class TestCounts:
    """Requests and tokens."""

    def test_the_last_allowed_request_is_allowed(self) -> None:
        """A limit is what may be reached, and not exceeded."""
        watched = guard(max_upstream_requests=2)

        assert breach_of(watched, asked(1), asked(2)) is None
        assert breach_of(watched, asked(3)) == (
            "safety.max_upstream_requests: 3 requests at the upstreams, allowed are 2"
        )

    def test_a_request_that_no_upstream_saw_costs_nothing(self) -> None:
        """An injected 503 is nobody's work."""
        assert breach_of(guard(max_upstream_requests=1), asked(1), asked(2, asked_at=None)) is None

    def test_tokens_that_nobody_reported_are_estimated_and_said_to_be(self) -> None:
        """What was sent, a quarter of its characters, and the content events that came."""
        watched = guard(max_upstream_tokens=30)

        assert breach_of(watched, asked(1), asked(2, tokens=None, asked_tokens=6)) is None
        assert breach_of(watched, asked(3, tokens=None, asked_tokens=6)) == (
            "safety.max_upstream_tokens: 40 tokens (estimated for 2 of 3 requests) at the upstreams, allowed are 30"
        )


class TestRate:
    """An average over five seconds."""

    def test_a_burst_within_the_average_is_allowed(self) -> None:
        """Ten at once are 2/s."""
        watched = guard(max_upstream_rate="2/s")

        assert breach_of(watched, *(asked(10.0 + n / 1000) for n in range(10))) is None
        assert breach_of(watched, asked(14.9)) == (
            "safety.max_upstream_rate: 2.2/s over 5s at the upstreams, allowed are 2/s"
        )

    def test_requests_that_are_reported_late_count_where_they_began(self) -> None:
        """A long stream is recorded when it has ended, after others that began later."""
        watched = guard(max_upstream_rate="1/s")

        assert breach_of(watched, *(asked(at) for at in (1.0, 2.0, 3.0, 5.0, 5.9))) is None
        assert breach_of(watched, asked(4.0)) == (
            "safety.max_upstream_rate: 1.2/s over 5s at the upstreams, allowed are 1/s"
        )

    def test_an_even_load_never_adds_up(self) -> None:
        """However long it lasts."""
        assert breach_of(guard(max_upstream_rate="2/s"), *(asked(n / 2) for n in range(200))) is None


class TestCost:
    """By the list of prices."""

    def test_money_is_counted_by_tokens(self) -> None:
        """10 in and 10 out are 1010 millionths."""
        watched = guard(max_cost=0.0021, prices=PRICES)

        assert breach_of(watched, asked(1), asked(2)) is None
        assert breach_of(watched, asked(3)) == "safety.max_cost: a cost of 0.00303 at the upstreams, allowed are 0.0021"

    def test_a_model_without_a_price_may_cost_anything(self) -> None:
        """A gateway that asks for another model must not slip through."""
        words = "safety.max_cost: the cost is not known, there is no price for dear"

        assert breach_of(guard(max_cost=1, prices=PRICES), asked(1, model="dear")) == words

    def test_what_has_no_tokens_needs_no_price(self) -> None:
        """A health check costs nothing."""
        assert breach_of(guard(max_cost=1, prices=PRICES), asked(1, model=None, tokens=0)) is None


class TestHours:
    """Before and during a run."""

    def test_a_run_that_overruns_its_hours_is_ended(self) -> None:
        """As soon as they are over."""
        assert guard(hours="09:00-12:01 UTC").breach() is None
        assert guard(hours="09:00-12:00 UTC").breach() == "safety.hours: 09:00-12:00 UTC are over"

    @pytest.mark.parametrize(
        ("hours", "words"),
        [
            ("13:00-17:00 UTC", "and it is Wed 12:00; nothing was started"),
            ("sat-sun 00:00-23:59 UTC", "and it is Wed 12:00; nothing was started"),
            ("09:00-12:01 UTC", "and this one would end at 12:01:02; nothing was started"),
        ],
    )
    def test_a_run_that_does_not_fit_is_refused(self, hours: str, words: str) -> None:
        """Its warm-up of 2 s and its 60 s must end within them."""
        with pytest.raises(UserError, match=words):
            refuse_outside_hours(lab(safety={"hours": hours}), NOON)

    @pytest.mark.parametrize("hours", ["09:00-12:02 UTC", "wed 12:00-13:00 UTC", "tue-thu 22:00-20:00 UTC", None])
    def test_one_that_fits_may_start(self, hours: str | None) -> None:
        """Also in hours that go over midnight."""
        refuse_outside_hours(lab(safety=None if hours is None else {"hours": hours}), NOON)
