"""Toxics in whole runs: hits are counted, causes are named, and nobody is blamed for what a toxic cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
from tests.e2e.drill import Ended, chaosproxy, drill, repeat_inconclusive, small

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def ran(folder: Path, do: dict[str, Any], **sections: Any) -> Ended:
    """A small run with one toxic for a second."""
    fault = {"id": "cut", "target": "a", "at": "800ms", "lasts": "1s", "do": do}
    return repeat_inconclusive(lambda: drill(folder, small(faults=[fault], **sections)))


def test_a_reset_is_named_as_the_cause_and_judged_again_alike(tmp_path: Path) -> None:
    """The client's own connection: no gateway is blamed. ``check`` gives the same bytes, ``explain`` a reason."""
    ended = ran(tmp_path, {"type": "toxic.reset_peer"}, hypothesis=["success >= 99%"])
    again = chaosproxy("check", str(ended.results / "journal.jsonl"), "drill.yaml", cwd=tmp_path)

    assert ended.code == 1
    assert "toxic.reset_peer (fault 'cut') broke the connection to a, on the client's own connection" in ended.sentences
    assert "gateway" not in ended.sentences
    assert again.out == (ended.results / "report.json").read_text("utf-8")
    hit = ended.all(FaultHit)[0]
    told = chaosproxy("explain", str(hit.exchange), "--journal", str(ended.results / "journal.jsonl"), cwd=tmp_path)
    assert "cut: hit" in told.out


def test_a_toxic_that_meets_nobody_is_inconclusive(tmp_path: Path) -> None:
    """Noop does nothing to anybody."""
    ended = drill(
        tmp_path, small(faults=[{"id": "cut", "target": "a", "at": "1s", "lasts": "1s", "do": {"type": "toxic.noop"}}])
    )

    assert ended.code == 3
    assert "made 0 of at least 1 hits" in ended.sentences


def test_latency_is_seen_at_the_clients_edge(tmp_path: Path) -> None:
    """Held, with hits, and the journal's two edges differ by the delay."""
    ended = ran(tmp_path, {"type": "toxic.latency", "latency": "150ms"}, hypothesis=["success >= 99%"])
    hit = {record.exchange for record in ended.all(FaultHit)}
    delays_s = [
        (record.sent.end_at or 0) - (record.received.end_at or 0)
        for record in ended.all(ExchangeRecord)
        if record.id in hit
    ]

    assert ended.code == 0, ended.sentences
    assert sum(delay_s >= 0.14 for delay_s in delays_s) >= 5  # not of those at the fault's edges
