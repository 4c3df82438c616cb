"""C10: a session with --chaos-live ends with a table: what the mock says, what the live backend says, and what to do.

    pytest experiments/vllm-router/test_table.py

COMMAND is what starts pytest (default: this Python's), before the options and the file of four tests.
"""

import os
import shlex
import subprocess
import sys

COMMAND = shlex.split(os.environ.get("COMMAND") or f"{shlex.quote(sys.executable)} -m pytest")
TESTS = """
import pytest


@pytest.mark.chaos_live
@pytest.mark.parametrize("fails", ["none", "live", "mock", "both"])
def test_router(chaos, chaos_side, fails):
    assert fails not in (chaos_side, "both")
"""
ROWS = {
    "none": ("passed", "passed", "nothing: the mock tells the truth about production"),
    "live": ("passed", "failed", "look at the live backend, and make the mock fail like it"),
    "mock": ("failed", "passed", "the mock is wrong, or stricter than production: repair it"),
    "both": ("failed", "failed", "the code is broken: repair it before anything else"),
}


def test_every_pair_has_an_action(chaos, tmp_path):
    """Pass and pass, pass and fail, and both kinds of fail."""
    file = tmp_path / "test_router.py"
    file.write_text(TESTS)
    options = ["-c", os.devnull, "-p", "no:cacheprovider", "-p", "chaosproxy.pytest_plugin", "--chaos-live"]
    env = {**os.environ, "VLLM_BACKEND_URL": chaos.backend().url, "VLLM_MODEL_NAME": "m"}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [*COMMAND, *options, str(file)], env=env, stdout=subprocess.PIPE, text=True, timeout=240, check=False
    )
    said = [
        line.split(maxsplit=3)[1:] for line in done.stdout.splitlines() if line.count("test_router[") and "  " in line
    ]
    rows = {tuple(line) for line in said if len(line) == 3}
    assert {tuple(row) for row in ROWS.values()} <= rows, done.stdout
    assert done.returncode == 1, done.stdout
