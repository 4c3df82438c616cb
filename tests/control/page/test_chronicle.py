"""What happened, in lines: what is worth one, and in which words."""

from __future__ import annotations

from chaosproxy.control.page.chronicle import HITS_KEPT, LINES_KEPT, Chronicle
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import AnyRecord, FaultEdge, Trouble
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit


def _exchange(number: int, path: str = "/v1/x", **sent: object) -> ExchangeRecord:
    values = {"id": f"a-{number}", "listener": "a", "ordinal": number, "call": None, "attempt": 1, "began_at": 4.0}
    request = {"method": "POST", "path": path, "dialect": "raw", "model": None, "stream": None}
    edge = {"status": 200, "ended": "end", "end_at": 5.0, **sent}
    return ExchangeRecord.model_validate({**values, **request, "sent": edge})


def _told(*records: AnyRecord) -> list[str]:
    chronicle = Chronicle()
    for record in records:
        chronicle.add(Entry.of(record))
    return [line.text for line in chronicle.lines()]


def test_faults_failures_and_troubles_are_told() -> None:
    """In their order; what passed untouched is no news."""
    hit = FaultHit(fault="f", at=4.5, listener="a", exchange="a-2", detail="cut after token 3")
    assert _told(
        FaultEdge(fault="f", edge="applied", at=1.0, listeners=["a", "b"]),
        _exchange(1),
        hit,
        _exchange(2),
        _exchange(3, status=503),
        _exchange(4, ended="reset"),
        Trouble(at=6.0, part="a", detail="the port is busy"),
        FaultEdge(fault="f", edge="healed", at=7.0, listeners=["a"], why="lease"),
    ) == [
        "f begins on a, b",
        "a #2 POST /v1/x 200: cut after token 3",
        "a #3 POST /v1/x 503: passed, 0 bytes",
        "a #4 POST /v1/x 200: the connection was reset",
        "a: the port is busy",
        "f is over on a (lease)",
    ]


def test_what_steers_a_screen_is_shown() -> None:
    """A path may hold anything."""
    assert _told(_exchange(1, "/\x1b[31m\u202e<script>", status=400)) == [
        "a #1 POST /\\x1b[31m\\u202e<script> 400: passed, 0 bytes"
    ]


def test_of_a_burst_the_newest_are_kept() -> None:
    """Numbers go on, so that a reader knows which it has; it does not grow, whoever looks."""
    chronicle = Chronicle()
    for number in range(1, LINES_KEPT * 3):
        chronicle.add(Entry.of(_exchange(number, status=500)))
        if number == LINES_KEPT:
            chronicle.lines()
    lines = chronicle.lines()

    assert len(lines) == LINES_KEPT
    assert [line.number for line in lines] == list(range(LINES_KEPT * 2, LINES_KEPT * 3))


def test_many_hits_of_one_exchange_are_told_once() -> None:
    """A few of them stand for all."""
    hits = [FaultHit(fault="f", at=4.0, listener="a", exchange="a-1", detail=f"hit {number}") for number in range(99)]

    (line,) = _told(*hits, _exchange(1))
    assert line.count("hit ") == HITS_KEPT
