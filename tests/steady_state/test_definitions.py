"""The page of definitions knows everything that a verdict can say."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosproxy.steady_state.outcome import Outcome
from chaosproxy.steady_state.vocabulary import MEASURES

PAGE = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*MEASURES, *Outcome])
def test_every_word_is_defined(name: str) -> None:
    """Each measure and each outcome stands on the page."""
    spelled = name.replace("probe.", "probe(id).")
    assert f"`{spelled}`" in PAGE or f"`{spelled}(" in PAGE
