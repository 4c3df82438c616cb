"""Faults that no catalogue has, and those of a profile, in a whole run."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosproxy.journal.traffic import FaultHit
from tests.e2e.drill import drill, small

pytestmark = pytest.mark.e2e

PLUGIN = '''
from typing import ClassVar

from chaosproxy.faults.timing.first_token import TimeFirstToken


class SlowStart(TimeFirstToken):
    """Start slowly."""

    type: ClassVar[str] = "acme.slow_start"
    symptom: ClassVar[str] = "the first words are late"
'''


def test_a_run_takes_a_users_own_fault_to_its_proxy(tmp_path: Path) -> None:
    """The proxy is a process of its own, and must know it, too; `use` needs nothing."""
    (tmp_path / "acme_faults.py").write_text(PLUGIN, encoding="utf-8")
    faults = [
        {"id": "slow", "target": "a", "at": "0s", "lasts": "1s", "do": {"type": "acme.slow_start", "mean": "50ms"}},
        {"use": "truncation", "target": "a", "at": "1s", "lasts": "1500ms", "set": {"cut": {"share": "80%"}}},
    ]
    text = small(faults=faults, hypothesis=["success >= 0%"])

    assert drill(tmp_path, text).code == 2
    ended = drill(tmp_path, text, "--plugin", "acme_faults")

    assert ended.code in (0, 3), ended.err
    assert {"slow", "truncation-cut"} <= {hit.fault for hit in ended.all(FaultHit)}
