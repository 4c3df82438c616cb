"""Exchanges as sentences."""

from __future__ import annotations

import pytest

from chaosproxy.journal.lines import Narrator
from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import Edge, ExchangeRecord, FaultHit, FaultMiss, Lag


def _exchange(**fields: object) -> ExchangeRecord:
    base = {
        "id": "a-3",
        "listener": "a",
        "ordinal": 3,
        "call": None,
        "attempt": 1,
        "method": "POST",
        "path": "/v1/chat/completions",
        "dialect": "openai.chat",
        "model": "m",
        "stream": True,
        "began_at": 1.0,
        "received": Edge(status=200, ended="end", events=22),
        "sent": Edge(status=200, ended="end", events=22),
    }
    return ExchangeRecord.model_validate({**base, **fields})


def _hit(detail: str) -> FaultHit:
    return FaultHit(fault="f", at=1.0, listener="a", exchange="a-3", detail=detail)


MISS = FaultMiss(fault="f", reason="the answer was not streamed")


@pytest.mark.parametrize(
    ("records", "line"),
    [
        ([_exchange()], "#3 POST /v1/chat/completions stream 200: passed, 22 events"),
        (
            [_hit("cut after token 5"), _exchange(sent=Edge(status=200, ended="end", events=5))],
            "#3 POST /v1/chat/completions stream 200: cut after token 5, 17 events withheld",
        ),
        (
            [_hit("stalled"), _hit("cut"), _exchange(sent=Edge(status=200, ended="reset", events=21))],
            "#3 POST /v1/chat/completions stream 200: stalled, cut, 1 event withheld",
        ),
        (
            [_exchange(stream=False, misses=[MISS, MISS], sent=Edge(status=200, ended="end", bytes=1))],
            "#3 POST /v1/chat/completions 200: not hit: the answer was not streamed",
        ),
        (
            [_exchange(sent=Edge(status=200, ended="gone", events=2))],
            "#3 POST /v1/chat/completions stream 200: the client left",
        ),
        (
            [_exchange(error="connect: refused", sent=Edge(status=502, ended="end"))],
            "#3 POST /v1/chat/completions stream 502: connect: refused",
        ),
        ([_exchange(stream=None, sent=Edge(ended="refused"))], "#3 POST /v1/chat/completions -: refused"),
        ([FaultHit(fault="f", at=1.0, listener="a", detail="connection reset")], "a: connection reset (f)"),
        ([Lag(process="p", what="loop", at=1.0, samples=1, p99_s=0, max_s=0)], None),
    ],
)
def test_one_line_for_each_exchange(records: list[AnyRecord], line: str | None) -> None:
    """What was asked, what was answered, and what became of it."""
    narrator = Narrator()

    assert [narrator.tell(record) for record in records][-1] == line
