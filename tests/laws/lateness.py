"""What timing faults promise: to be as late as their settings say."""

from __future__ import annotations

from itertools import pairwise
from math import isinf

from chaosproxy.events import TOKEN, Abort, Ask, Frame, Head
from chaosproxy.faults.admission.slow_accept import ConnSlowAccept
from chaosproxy.faults.base import Fault
from chaosproxy.faults.timing.bandwidth import TimeBandwidth
from chaosproxy.faults.timing.buffer import TimeBuffer
from chaosproxy.faults.timing.cap import ConnCap
from chaosproxy.faults.timing.delay import Delay
from chaosproxy.faults.timing.keepalive_only import TimeKeepaliveOnly
from chaosproxy.faults.timing.linger import TimeLinger
from chaosproxy.faults.timing.stall import TimeStall
from chaosproxy.faults.websocket.delay import WsDelay
from chaosproxy.faults.where import Where
from chaosproxy.testing.lateness import times
from chaosproxy.testing.places import bytes_before, place_of
from chaosproxy.testing.trial import LEASE_S, Law, Trial

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


def _all_is_late_from_the_head(fault: Fault, done: Trial) -> str | None:
    """time.first_byte: one delay for everything."""
    assert isinstance(fault, Delay)
    given = [event.at for event in done.case.events if isinstance(event, Head | Frame)]
    got = [event.at for event in done.out if isinstance(event, Head | Frame)]
    if len(given) != len(got):
        return f"{len(given)} events came, {len(got)} left"
    delays = [out_at - in_at for in_at, out_at in zip(given, got, strict=True)]
    uneven = max(delays) - min(delays) > ROUNDING_S
    return f"late by {delays}" if uneven or min(delays) < _least_s(fault) - ROUNDING_S else None


def _only_signs_of_life(fault: Fault, done: Trial) -> str | None:
    """time.keepalive_only: the answer up to its place, then one sign each period until the lease ends in an RST."""
    assert isinstance(fault, TimeKeepaliveOnly)
    place = place_of(fault.where, done.case)
    signs = signs_of_life(fault, done)
    if place is None or not signs:
        return f"{len(signs)} signs, and {fault.where} is {place}"
    begin = done.case.frames[place[0]].at
    due = [begin + fault.period * (index + 1) for index in range(len(signs))]
    late = [sign.at - at for sign, at in zip(signs, due, strict=True)]
    if max(map(abs, late)) > ROUNDING_S * len(late):
        return f"signs at {[sign.at for sign in signs]}, expected {due}"
    got = b"".join(frame.data for frame in done.frames if frame not in signs)
    return None if len(got) == bytes_before(place, done.case) else f"{len(got)} bytes of the answer came"


def signs_of_life(fault: Fault, done: Trial) -> list[Frame]:
    """What time.keepalive_only added, if this is it."""
    given = {frame.data for frame in done.case.frames}
    kinds = {"comment": b": keep-alive\n\n", "ping": b'event: ping\ndata: {"type": "ping"}\n\n', "byte": b" "}
    if not isinstance(fault, TimeKeepaliveOnly) or not done.hit:
        return []
    sign = kinds[fault.kind]
    own = [frame for frame in done.frames if frame.data == sign]
    place = place_of(fault.where, done.case)
    begin = done.case.frames[place[0]].at if place is not None else 0.0
    return [frame for frame in own if sign not in given or frame.at > begin]


def _released_when_full(fault: Fault, done: Trial) -> str | None:
    """time.buffer: frames come when as much as declared is there, or at the end."""
    assert isinstance(fault, TimeBuffer)
    due: list[float] = []
    held: list[Frame] = []
    for frame in done.case.frames:
        held.append(frame)
        size = {"events": len(held), "bytes": sum(len(each.data) for each in held), "end": -1}[fault.until.unit]
        if size >= max(fault.until.count, 1):
            due += [frame.at] * len(held)
            held.clear()
    due += [done.case.events[-1].at] * len(held)
    got = [frame.at for frame in done.frames]
    return None if got == due else f"frames at {got}, expected {due}"


def _no_faster_than_the_line(fault: Fault, done: Trial) -> str | None:
    """time.bandwidth: slices of at most so many bytes, each after its bytes have passed the line."""
    assert isinstance(fault, TimeBandwidth)
    free_at = 0.0
    arrivals = iter(times(done.case.events)[1])
    for frame in done.frames:
        came_at = [next(arrivals) for _ in frame.data][-1]
        free_at = max(free_at, came_at) + len(frame.data) / fault.bytes_per_second
        if len(frame.data) > fault.chunk_bytes or abs(frame.at - free_at) > ROUNDING_S:
            return f"{len(frame.data)} bytes at {frame.at}, the line was through at {free_at}"
    return None


def _only_the_end_is_late(fault: Fault, done: Trial) -> str | None:
    """time.linger: every byte on time, the end later by the hold."""
    assert isinstance(fault, TimeLinger)
    if times(done.case.events) != times(done.out):
        return "bytes are late"
    late_s = done.ends[0].at - done.case.events[-1].at
    right = late_s >= 1000 if isinf(fault.hold) else abs(late_s - fault.hold) < ROUNDING_S
    return None if right else f"the end is late by {late_s}"


def _the_question_is_late(fault: Fault, done: Trial) -> str | None:
    """conn.slow_accept: all that follows is late by as much."""
    assert isinstance(fault, ConnSlowAccept)
    late = [out.at - given.at for given, out in zip(done.case.events, done.out, strict=True)]
    return None if all(abs(late_s - fault.hold) < ROUNDING_S for late_s in late) else f"late by {late}"


def _the_question_waits_for_its_turn(fault: Fault, done: Trial) -> str | None:
    """conn.cap: asked when the lease ends, and all that follows as late; or reset, and never asked."""
    assert isinstance(fault, ConnCap)
    if fault.excess == "refuse":
        asked = any(isinstance(event, Ask) for event in done.out)
        return "it was asked" if asked or not isinstance(done.ends[0], Abort) else None
    late = [out.at - given.at for given, out in zip(done.case.events, done.out, strict=True)]
    even = max(late) - min(late) < ROUNDING_S * LEASE_S and done.out[0].at == LEASE_S
    return None if even else f"late by {late}"


def _messages_are_late(fault: Fault, done: Trial) -> str | None:
    """ws.delay: each by its own draw, fragments with their message, and nothing overtakes."""
    assert isinstance(fault, WsDelay)
    last_at = 0.0
    for given, got in zip(done.case.frames, done.frames, strict=True):
        least, most = (fault.mean + sign * fault.jitter for sign in (-1, 1))
        if given.data[0] & 0x08:
            least = most = 0.0
        earliest, latest = (max(last_at, given.at + late_s) for late_s in (least, most))
        if not earliest - ROUNDING_S <= got.at <= latest + ROUNDING_S:
            return f"{given} came at {got.at}, expected {earliest} to {latest}"
        last_at = got.at
    return None


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
    "time.first_byte": _all_is_late_from_the_head,
    "time.keepalive_only": _only_signs_of_life,
    "time.buffer": _released_when_full,
    "time.bandwidth": _no_faster_than_the_line,
    "time.linger": _only_the_end_is_late,
    "conn.cap": _the_question_waits_for_its_turn,
    "ws.delay": _messages_are_late,
    "conn.slow_accept": _the_question_is_late,
}
