"""One seed, one fault log: what a replay line promises."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.journal.traffic import FaultHit
from tests.e2e.drill import drill, small

pytestmark = pytest.mark.e2e

CALLS = 60
DICED: Mapping[str, Any] = {
    "seed": None,
    "systems": {"models": {"lab": "backend", "tokens": 6, "ttft": "200ms", "inter_token": "5ms"}},
    "timeline": {"warmup": "0s", "lasts": "6s"},
    "load": {
        "arrival": {"process": "constant", "steps": [{"rate": "1/s", "lasts": "2s"}, {"rate": "20/s", "lasts": "4s"}]},
        "calls": CALLS,
    },
    "faults": [
        {"id": name, "target": "a", "at": "1500ms", "lasts": "4s", "share": "30%", "do": do}
        for name, do in (
            ("cut", {"type": "stream.truncate", "where": "token:3"}),
            ("slow", {"type": "time.inter_token", "mean": "20ms"}),
        )
    ],
    "hypothesis": ["success >= 10%"],
}
"""Several calls at a time. The faults begin and end where no call does, so that chance is all that chooses."""


def test_one_seed_gives_one_set_of_hits(tmp_path: Path) -> None:
    """The same calls meet the same faults in two runs of one seed, and others with another seed."""

    def hits(name: str, seed: str) -> set[tuple[int, str]]:
        folder = tmp_path / name
        folder.mkdir()
        ended = drill(folder, small(**DICED), "--seed", seed)
        return {(int((hit.call or "").rpartition("-")[2]), hit.fault) for hit in ended.all(FaultHit)}

    with ThreadPoolExecutor() as at_once:
        first, again, other = at_once.map(hits, ("first", "again", "other"), ("1", "1", "2"))

    assert first == again
    assert first != other
    for fault in ("cut", "slow"):
        assert 5 <= sum(name == fault for _, name in first) <= CALLS / 2
    assert {call for call, fault in first if fault == "cut"} != {call for call, fault in first if fault == "slow"}
