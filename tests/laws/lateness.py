"""What timing faults promise: to be as late as their settings say."""

from __future__ import annotations

from itertools import pairwise
from math import isinf

from chaosproxy.events import TOKEN
from chaosproxy.faults.base import Fault
from chaosproxy.faults.timing.delay import Delay
from chaosproxy.faults.timing.stall import TimeStall
from chaosproxy.faults.where import Where
from chaosproxy.testing.lateness import times
from chaosproxy.testing.places import bytes_before, place_of
from chaosproxy.testing.trial import Law, Trial

ROUNDING_S = 1e-6


def as_late_as_declared(fault: Fault, done: Trial) -> str | None:
    """How much later each frame has to be, as long as the lease lasts."""
    if not done.hit or done.case.heal_at is not None:
        return None
    return _DELAYS[fault.type](fault, done)


def _the_rest_waits(fault: Fault, done: Trial) -> str | None:
    """time.stall: what lies before the place is on time, what comes after it is late by the hold, or never comes."""
    assert isinstance(fault, TimeStall)
    place = place_of(fault.where, done.case)
    if place is None:
        return f"it stalled, but there is no {fault.where}"
    passed = bytes_before(place, done.case)
    given, got = times(done.case.events)[1], times(done.out)[1]
    rest = [] if isinf(fault.hold) else [at + fault.hold for at in given[passed:]]
    return None if got == given[:passed] + rest else f"bytes came at {got}, expected {given[:passed] + rest}"


def _all_is_late_from_the_first_token(fault: Fault, done: Trial) -> str | None:
    """time.first_token: one delay for the first token and everything after it."""
    assert isinstance(fault, Delay)
    place = place_of(Where("token", 0), done.case)
    if place is None:
        return "it delayed the first token, but there is none to come"
    passed = bytes_before(place, done.case)
    given, got = times(done.case.events)[1], times(done.out)[1]
    if got[:passed] != given[:passed]:
        return "what lies before the first token came late"
    delays = [out_at - in_at for in_at, out_at in zip(given[passed:], got[passed:], strict=True)]
    uneven = max(delays) - min(delays) > ROUNDING_S
    return f"late by {delays}" if uneven or min(delays) < _least_s(fault) - ROUNDING_S else None


def _tokens_keep_their_gap(fault: Fault, done: Trial) -> str | None:
    """time.inter_token: no token comes sooner after the one before it than the shortest gap."""
    assert isinstance(fault, Delay)
    tokens = [frame for frame in done.frames if done.case.dialect.read_event(frame.data).kind & TOKEN]
    gaps = [later.at - earlier.at for earlier, later in pairwise(tokens)]
    return f"gaps of {gaps}" if gaps and min(gaps) < _least_s(fault) - ROUNDING_S else None


def _least_s(fault: Delay) -> float:
    """The shortest delay that the settings allow."""
    law = fault.law
    if law.jitter_s == 0:
        return law.mean_s
    return law.mean_s - law.jitter_s if law.dist == "uniform" else 0.0


_DELAYS: dict[str, Law] = {
    "time.stall": _the_rest_waits,
    "time.first_token": _all_is_late_from_the_first_token,
    "time.inter_token": _tokens_keep_their_gap,
}
