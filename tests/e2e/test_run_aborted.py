"""An abort is quick: from the moment at which its condition is met to the last healed fault in less than a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.journal.records import FaultEdge, Mark
from chaosproxy.journal.traffic import Call, Lag
from tests.e2e.drill import Ended, drill, small

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WITHIN_S = 1.0
OWN_LAG_MAX_S = 0.1
"""A run in which a process of ours was later than this, at worst, has shown nothing when it took too long."""
TIMES = 5
DOWN = {"id": "down", "target": "a", "at": "500ms", "do": {"type": "http.status", "status": 503}}


def _after_three_seconds(ended: Ended) -> float:
    return next(mark.at for mark in ended.all(Mark) if mark.name == "warmup") + 3.0


def _at_the_first_failure(ended: Ended) -> float:
    return min(call.end_at for call in ended.all(Call) if call.status == 503 and call.end_at is not None)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("condition", "met_at"),
    [
        ({"when": "elapsed > 3s"}, _after_three_seconds),
        ({"when": "error_rate > 1%", "min_samples": 1}, _at_the_first_failure),
    ],
    ids=["a clock", "a measure"],
)
def test_from_condition_to_healed(tmp_path: Path, condition: dict[str, Any], met_at: Callable[[Ended], float]) -> None:
    """Less than a second; a run on a machine that was late itself is made again."""
    text = small(faults=[DOWN], abort=[condition], timeline={"warmup": "500ms", "lasts": "20s"})
    for _ in range(TIMES):
        ended = drill(tmp_path, text)
        assert ended.code == 4, ended.err
        healed_at = max(edge.at for edge in ended.all(FaultEdge) if edge.edge == "healed")
        took_s = healed_at - met_at(ended)
        lag_s = max(lag.max_s for lag in ended.all(Lag))
        if 0 <= took_s < WITHIN_S or lag_s < OWN_LAG_MAX_S:
            break

    assert 0 <= took_s < WITHIN_S, f"healed {took_s:.2f} s after it was met; our own lag was at most {lag_s:.2f} s"
