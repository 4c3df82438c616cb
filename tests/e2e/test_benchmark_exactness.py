"""The benchmark of injected delays, as small as it can be."""

from __future__ import annotations

import shutil
import sys

import pytest

from benchmarks.delays import FAULTS, NONE, Arrival
from benchmarks.exactness import ASYNCIO, UVLOOP, Results, Row, Sample, Scale, measure, table
from benchmarks.processes import BenchmarkFailed

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="llmbench needs Linux (epoll)"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="llmbench needs a C compiler"),
]
SCALE = Scale(rounds=1, seconds=0.3, others=3, delays_ms=(5,))
ASKED = ((NONE, 0), *((fault, 5) for fault in FAULTS))
ROWS = [Row(way, fault, delay_ms) for way in (UVLOOP, ASYNCIO) for fault, delay_ms in ASKED]


@pytest.fixture(scope="module")
def results() -> Results:
    """One round beside three streams."""
    return measure(SCALE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.way}-{row.fault.name}")
def test_no_event_is_early(results: Results, row: Row) -> None:
    """Every delay on both event loops, to the nanosecond of the clock that all processes share."""
    (sample,) = results.samples[row]
    assert 0 <= sample.min_us <= sample.p50_us <= sample.p99_us <= sample.max_us
    assert sample.events > 10


def test_the_table_has_a_line_for_each(results: Results) -> None:
    """And says what the other streams got meanwhile."""
    lines = table(results).splitlines()
    assert len([line for line in lines if line.startswith("| chaosproxy")]) == len(ROWS)
    assert lines[-2].startswith("Beside them 3 streams ran without a fault")
    assert lines[-1].startswith("Other processes took ")
    assert all(share > 0 for shares in results.others.values() for share in shares)


def test_when_an_event_is_due() -> None:
    """A late start and a stall shift an event from when it was sent; a pace counts from the answer's first event."""
    first_token, inter_token, stall = (fault.due_ns for fault in FAULTS)
    first, third, fourth = (Arrival(number, 1000, 1000 + number, 0) for number in (0, 2, 3))

    assert [first_token(arrival, 50) for arrival in (first, third)] == [1050, 1052]
    assert [inter_token(arrival, 50) for arrival in (first, third)] == [None, 1100]
    assert inter_token(third, 0) == 1002
    assert [stall(arrival, 50) for arrival in (third, fourth)] == [None, 1053]


def test_a_row_without_events_is_a_failure() -> None:
    """Percentiles are nearest ranks; of nothing there are none."""
    assert Sample.of([3.0, 1.0, 2.0]) == Sample(3, 2.0, 3.0, 1.0, 3.0)
    with pytest.raises(BenchmarkFailed, match="no delayed event"):
        Sample.of([])
