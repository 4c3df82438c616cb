"""The circuit breaker, with time as an argument."""

from __future__ import annotations

import pytest

from chaosproxy.lab.gateway.health import Admission, Health, Readiness

NORMAL, TRIAL = Admission.NORMAL, Admission.TRIAL


@pytest.fixture
def health() -> Health:
    """Fresh, at 0 s."""
    return Health(unhealthy_after=5, cooldown_s=10.0, now=0.0)


@pytest.fixture
def broken(health: Health) -> Health:
    """Six failures in a row, the last at 6 s."""
    for now in range(1, 7):
        health.failed(NORMAL, float(now))
    return health


def test_it_begins_healthy(health: Health) -> None:
    """Nothing is known against a new upstream."""
    assert health.healthy
    assert health.admit(0.0) is NORMAL


def test_exactly_the_sixth_failure_in_a_row_makes_it_unhealthy(health: Health) -> None:
    """Five are tolerated, more are not; the state is as old as the sixth failure."""
    for now in range(1, 6):
        health.failed(NORMAL, float(now))
    before = health.healthy
    health.failed(NORMAL, 6.0)

    assert before
    assert (health.healthy, health.since, health.failures_in_row) == (False, 6.0, 6)


def test_one_success_in_between_starts_the_count_anew(health: Health) -> None:
    """Only failures in a row count."""
    for _ in range(5):
        health.failed(NORMAL, 1.0)
    health.succeeded(NORMAL, 2.0)
    for _ in range(5):
        health.failed(NORMAL, 3.0)

    assert health.healthy
    assert health.since == 0.0


def test_nobody_gets_in_during_the_cooldown(broken: Health) -> None:
    """It lasts from the failure that broke it."""
    assert broken.admit(15.9) is None
    assert broken.admit(16.0) is TRIAL


def test_there_is_one_trial_at_a_time(broken: Health) -> None:
    """The next one may only come when the first has ended without a verdict, or after another cooldown."""
    assert broken.admit(16.0) is TRIAL
    assert broken.admit(16.0) is None
    broken.abandoned(TRIAL)
    assert broken.admit(16.0) is TRIAL
    broken.failed(TRIAL, 17.0)
    assert broken.admit(26.9) is None
    assert broken.admit(27.0) is TRIAL


def test_a_trial_that_succeeds_opens_it_for_all(broken: Health) -> None:
    """One success resets everything."""
    broken.admit(16.0)
    broken.succeeded(TRIAL, 17.0)

    assert (broken.healthy, broken.since, broken.failures_in_row) == (True, 17.0, 0)
    assert broken.admit(17.0) is NORMAL


def test_late_failures_do_not_extend_the_cooldown(broken: Health) -> None:
    """Requests that were let through before it broke may end long after; they tell nothing new."""
    broken.failed(NORMAL, 15.0)

    assert broken.admit(16.0) is TRIAL


def test_a_late_success_does_not_end_a_trial_that_runs(broken: Health) -> None:
    """But it proves that answers flow, so the upstream is healthy again."""
    broken.admit(16.0)
    broken.succeeded(NORMAL, 16.5)

    assert broken.admit(16.5) is NORMAL


def test_exactly_the_third_failed_probe_in_a_row_takes_an_upstream_out() -> None:
    """Two are tolerated, one success resets the count, and one takes it in again; only changes are told."""
    readiness = Readiness(3)
    changed = [readiness.told(good=good) for good in (False, False, True, False, False)]
    before = readiness.ready
    out = readiness.told(good=False)
    still = readiness.told(good=False)
    failed_in_row = readiness.failures_in_row
    back = readiness.told(good=True)

    assert not any(changed)
    assert before
    assert (out, still, failed_in_row) == (True, False, 4)
    assert back
    assert (readiness.ready, readiness.failures_in_row) == (True, 0)
