from __future__ import annotations

import re
from pathlib import Path

from tests.twin import api_cases, traffic_cases
from tests.twin.twin_kit import deviations

ELSEWHERE = (Path(__file__).parent / "test_twin_defects.py").read_text(encoding="utf-8")
"""Tests of deviations that need a server of their own; each names what it shows."""


def test_every_deviation_is_documented_and_every_documented_one_is_tested() -> None:
    """So that the page neither keeps silent nor boasts."""
    tested = {case.deviation for case in api_cases.CASES} | {case.deviation for case in traffic_cases.CASES}
    tested -= {None}
    named = set(re.findall(r'(?:"""|")([a-z0-9-]+)"?:', ELSEWHERE))

    assert tested <= set(deviations())
    assert set(deviations()) - tested <= named


def test_the_page_does_not_boast() -> None:
    """As many questions as it says, or more."""
    page = (Path(__file__).parents[2] / "docs" / "toxiproxy.md").read_text(encoding="utf-8")
    asked = re.search(r"asks both servers the same (\d+) questions", page)

    assert asked is not None
    assert sum(case.deviation is None for case in api_cases.CASES) >= int(asked[1])
