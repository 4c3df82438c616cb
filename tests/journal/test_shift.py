"""Records on another clock."""

from __future__ import annotations

from chaosproxy.journal.records import FaultEdge, Opened
from chaosproxy.journal.shift import shifted
from chaosproxy.journal.traffic import Edge, ExchangeRecord, Lag


def test_moments_move_and_spans_stay() -> None:
    """Those of both edges, too; what never happened stays unknown."""
    record = ExchangeRecord(
        id="a-1",
        listener="a",
        ordinal=1,
        call=None,
        attempt=1,
        method="POST",
        path="/",
        dialect="raw",
        model=None,
        stream=None,
        began_at=10.0,
        sent=Edge(head_at=11.0, first_content_at=12.0, end_at=13.0, retry_after_s=2.0, tokens=5),
    )
    moved = shifted(record, -4.0)

    assert (moved.began_at, moved.asked_at) == (6.0, None)
    assert (moved.sent.head_at, moved.sent.first_content_at, moved.sent.end_at) == (7.0, 8.0, 9.0)
    assert (moved.sent.retry_after_s, moved.sent.tokens, moved.ordinal) == (2.0, 5, 1)
    assert shifted(moved, 4.0) == record


def test_other_records() -> None:
    """A fault's edge, a lag (whose length is none of a clock), an opening (whose date is none of it)."""
    assert shifted(FaultEdge(fault="f", edge="applied", at=1.0, listeners=["a"]), 2.0).at == 3.0
    lag = shifted(Lag(process="proxy", what="loop", at=1.0, samples=3, p99_s=0.1, max_s=0.2), 2.0)
    assert (lag.at, lag.p99_s, lag.max_s) == (3.0, 0.1, 0.2)
    opened = shifted(Opened(process="proxy", host="h", pid=1, mono=1.0, wall=5.0, chaosproxy="0"), 2.0)
    assert (opened.mono, opened.wall) == (3.0, 5.0)
