"""A real run leaves a page that shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import chaosproxy

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a run, and the summary of the step in which it was made."""
    folder = tmp_path_factory.mktemp("run")
    step = folder / "step.md"
    subprocess.run(
        [sys.executable, "-m", "chaosproxy", "run", "six-defects", "--summary", "pull-request.md"],
        cwd=folder,
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(step)},
        check=False,
        capture_output=True,
        timeout=100,
    )
    (run,) = (folder / "out").iterdir()
    return run, step


def test_the_page_lies_beside_the_json(ended: tuple[Path, Path]) -> None:
    """With every fault of the run, and a link to a call."""
    page = (ended[0] / "report.html").read_text(encoding="utf-8")

    for fault in ("lossy", "cut", "broken", "down", "mute", "busy"):
        assert f"<h3>{fault}</h3>" in page
    assert 'href="#call-1"' in page


def test_the_same_page_can_be_made_later(ended: tuple[Path, Path], tmp_path: Path) -> None:
    """From the journal alone, but for the comparison that it was not asked for."""
    later = tmp_path / "later.html"

    assert chaosproxy("report", str(ended[0]), "-o", str(later)).code == 0

    assert later.read_text(encoding="utf-8") == (ended[0] / "report.html").read_text(encoding="utf-8")


def test_the_summary_goes_where_it_was_asked_for_and_to_the_step(ended: tuple[Path, Path]) -> None:
    """The same text in both."""
    run, step = ended

    text = step.read_text(encoding="utf-8")
    assert text.startswith("### ")
    assert "| lossy | sse.drop |" in text
    assert (run.parents[1] / "pull-request.md").read_text(encoding="utf-8") == text


def test_a_run_is_no_regression_of_itself(ended: tuple[Path, Path]) -> None:
    """Compared by its folder and by its file."""
    found = chaosproxy("compare", str(ended[0]), str(ended[0] / "report.json"))

    assert (found.code, found.out.startswith("no regression from six-defects-")) == (0, True)
