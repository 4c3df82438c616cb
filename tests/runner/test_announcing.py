"""What a run tells those who watch."""

from __future__ import annotations

from chaosproxy.runner.announcing import programme_of
from tests.experiment.files import lab


def test_its_timeline_with_estimates_for_faults_that_wait() -> None:
    """Seconds after t = 0, on the proxy's clock."""
    faults = [
        {"id": "part", "target": "primary", "at": "5s", "lasts": "4s", "do": {"type": "partition"}},
        {"id": "late", "target": "primary", "after": "part.healed", "delay": "1s", "do": {"type": "time.stall"}},
    ]
    said = programme_of(
        lab(faults=faults, timeline={"warmup": "3s", "lasts": "30s", "quiet_tail": "10s"}), 7, origin=100.0
    )

    assert (said.origin, said.warmup_s, said.lasts_s, said.seed) == (100.0, 3.0, 30.0, 7)
    assert [(each.id, each.type, each.listeners, each.at_s, each.lasts_s) for each in said.faults] == [
        ("part", "partition", ("primary",), 5.0, 4.0),
        ("late", "time.stall", ("primary",), 10.0, 10.0),
    ]
