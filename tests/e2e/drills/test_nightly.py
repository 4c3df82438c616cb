"""The nightly mode of C12 is never run by a test, as it takes its real time; so its plans are checked here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "experiments" / "vllm-router" / "ci.sh"


def ci(mode: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script with this Python and these sources, without running a drill."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "DRY_RUN": "1", "RESULTS": str(folder / "results")}
    return subprocess.run(
        ["bash", str(SCRIPT), mode],
        env={**env, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(900)
class TestNightly:
    """bash experiments/vllm-router/ci.sh nightly."""

    def test_every_drill_has_a_plan_with_the_real_times(self, tmp_path: Path) -> None:
        """Nothing is said about any of them."""
        done = ci("nightly", tmp_path)

        assert (done.returncode, done.stderr) == (0, "")

    def test_what_cannot_be_planned_is_no_pass(self, tmp_path: Path) -> None:
        """A variable that no drill has; the other drills are looked at all the same."""
        done = ci("short", tmp_path, OPTIONS="-D nonsense=1")

        assert done.returncode == 5
        assert done.stderr.count("nonsense") >= 2

    def test_there_are_two_modes(self, tmp_path: Path) -> None:
        """And a misspelt one is usage, not a pass."""
        done = ci("nightli", tmp_path)

        assert (done.returncode, done.stderr) == (2, "usage: bash ci.sh short|nightly\n")
