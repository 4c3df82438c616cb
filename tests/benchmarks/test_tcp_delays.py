from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.exactness import Sample as Errors
from benchmarks.processes import BenchmarkFailed, Cores
from benchmarks.tcp_delays import Bench, Delays, Row, Sample, going_first, may_go_first
from benchmarks.ways import TCP, TOXIPROXY, Way


def _sample(p99_ms: float, *, delivered: float = 1.0, stolen: float = 0.0) -> Sample:
    errors = Errors(events=2000, p50_us=100.0, p99_us=p99_ms * 1000, min_us=10.0, max_us=p99_ms * 2000)
    return Sample(errors, delivered, busy=0.1, others=0.05, stolen=stolen)


def _delays(*rows: tuple[Way, int, bool, list[Sample]]) -> Delays:
    found = Delays()
    for way, delay_ms, real_time, samples in rows:
        found.samples[Row(way, delay_ms, real_time)] += samples
    return found


def _bench() -> Bench:
    return Bench(Path("llmbench"), Path(), Cores(load=0, proxy=1), seconds=1.0)


def _verdict(found: Delays) -> str:
    return found.bar()[-1]


def test_one_late_round_of_one_delay_is_enough_to_miss_the_bar() -> None:
    """A median would hide it."""
    found = _delays(
        (TCP, 5, True, [_sample(0.4), _sample(0.4), _sample(0.4)]),
        (TCP, 500, True, [_sample(0.4), _sample(2.1), _sample(0.4)]),
    )

    assert _verdict(found) == "not met"


def test_what_waits_for_other_processes_is_shown_and_not_judged() -> None:
    """With real-time scheduling beside it, the normal one says how busy the machine was."""
    found = _delays((TCP, 50, False, [_sample(20.0)]), (TCP, 50, True, [_sample(0.4)]))

    assert _verdict(found) == "met"
    assert any("| normal | 0.10 | 20.00 |" in line for line in found.table())


def test_where_real_time_is_not_allowed_the_normal_one_is_judged() -> None:
    """A benchmark without it must not pass by silence."""
    assert _verdict(_delays((TCP, 50, False, [_sample(20.0)]))) == "not met"


def test_a_way_without_a_toxic_is_no_part_of_the_bar() -> None:
    """It is the error of the benchmark itself, shown beside."""
    found = _delays((TCP, 0, True, [_sample(9.0)]), (TCP, 50, True, [_sample(0.4)]))

    assert _verdict(found) == "met"
    assert any(line.startswith("| none | chaosproxy, TCP | real-time |") for line in found.table())


def test_events_that_did_not_come_meet_no_bar() -> None:
    """What is still held when the time is over has no error that could be counted."""
    found = _delays((TCP, 50, True, [_sample(0.4), _sample(0.4, delivered=0.6)]))

    assert _verdict(found) == "not met (60.0% of the events arrived)"


def test_what_the_hypervisor_disturbed_is_repeated_whatever_came_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calm try counts, though its errors are greater; a good one that was disturbed does not."""
    tries = [_sample(0.3, stolen=0.02), _sample(5.0, stolen=0.001), _sample(0.2)]
    monkeypatch.setattr(Bench, "_try", lambda _bench, _row, _port: tries.pop(0))

    found = _bench().measure(Row(TCP, 50, real_time=True), port=1)

    assert (found.errors.p99_us, found.tries) == (5000, 2)


def test_after_some_disturbed_tries_the_least_disturbed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends also on a machine that is never left alone."""
    shares = [0.04, 0.02, 0.03, 0.05, 0.0]
    tries = [_sample(1.0 + number, stolen=share) for number, share in enumerate(shares)]
    monkeypatch.setattr(Bench, "_try", lambda _bench, _row, _port: tries.pop(0))

    found = _bench().measure(Row(TCP, 50, real_time=True), port=1)

    assert (found.errors.p99_us, found.tries) == (2000, 4)


def test_without_our_rows_nothing_is_judged() -> None:
    """Toxiproxy alone says nothing about ours."""
    assert _verdict(_delays((TOXIPROXY, 50, True, [_sample(0.4)]))) == "not judged (not measured)"


def test_real_time_scheduling_ends_with_its_block() -> None:
    """Also when what it was for has failed; where it is not allowed, nothing has changed."""
    before = os.sched_getscheduler(0)
    expected, words = (BenchmarkFailed, "policy 1") if may_go_first() else (PermissionError, "not permitted")

    with pytest.raises(expected, match=words), going_first():  # 1 is SCHED_FIFO
        raise BenchmarkFailed(f"policy {os.sched_getscheduler(0)}")

    assert os.sched_getscheduler(0) == before
