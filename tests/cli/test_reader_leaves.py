"""A reader that leaves (``| head``) hides no verdict."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FILE = """
experiment: v1
topology: {entry: "${listener.a}", backends: {a: {upstream: "http://127.0.0.1:9"}}}
load: {arrival: {rate: 10/s}}
timeline: {warmup: 300ms, lasts: 1s}
hypothesis: [success >= 1%]
"""


@pytest.mark.e2e
@pytest.mark.parametrize("option", [[], ["--json"]])
def test_the_exit_code_is_that_of_the_verdict(tmp_path: Path, option: list[str]) -> None:
    """A run whose upstream is down ends with 3 though nobody read its report."""
    (tmp_path / "drill.yaml").write_text(FILE)

    with subprocess.Popen(
        [sys.executable, "-m", "chaosproxy", "run", "drill.yaml", *option],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as run:
        assert run.stdout is not None
        run.stdout.close()

        assert run.wait(120) == 3
