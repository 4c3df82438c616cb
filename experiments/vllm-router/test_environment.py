"""C1: the environment names the live backend; without it the live half is skipped, with the reason; a cap holds.

    pytest experiments/vllm-router/test_environment.py

COMMAND is the session under test (default: the canary's, with --chaos-live).
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

CANARY = f"{Path(__file__).with_name('test_canary.py')}::test_paris_every_time"
OPTIONS = "-rs -p no:cacheprovider -p chaosproxy.pytest_plugin --chaos-live"
DEFAULT = f"{shlex.quote(sys.executable)} -m pytest -c {os.devnull} {OPTIONS} {shlex.quote(CANARY)}"
COMMAND = shlex.split(os.environ.get("COMMAND") or DEFAULT)
OURS = ("CHAOSPROXY_LIVE_", "VLLM_")
KEY = "sk-a-key-that-nobody-may-print"


def session(**variables):
    """Exit code and output of a session in which only these say where the live backend is."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}
    done = subprocess.run(
        COMMAND, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False
    )
    return done.returncode, done.stdout


def test_skipped_with_the_reason():
    """Nobody has said where it is; the mocked half runs all the same."""
    code, said = session()
    assert code == 0, said
    assert "1 passed, 1 skipped" in said
    assert "no live backend: set CHAOSPROXY_LIVE_URL or VLLM_BACKEND_URL" in said
    code, said = session(VLLM_BACKEND_URL="http://127.0.0.1:9")
    assert code == 0, said
    assert "CHAOSPROXY_LIVE_MODEL or VLLM_MODEL_NAME" in said


def test_both_spellings(chaos):
    """Each of the two reaches the live backend; the key is printed nowhere."""
    live = chaos.backend()
    code, said = session(VLLM_BACKEND_URL=live.url, VLLM_MODEL_NAME="m")
    assert (code, "2 passed" in said) == (0, True), said
    asked = live.asked
    assert asked >= 5
    ours = {"CHAOSPROXY_LIVE_URL": live.url, "CHAOSPROXY_LIVE_MODEL": "m", "CHAOSPROXY_LIVE_API_KEY": KEY}
    code, said = session(**ours)
    assert (code, "2 passed" in said) == (0, True), said
    assert live.asked == 2 * asked
    assert KEY not in said


def test_a_cap_holds(chaos):
    """Of five questions two are allowed: no more reach the live backend, and the session says why."""
    live = chaos.backend()
    capped = {"CHAOSPROXY_LIVE_MAX_REQUESTS": "2", "CHAOSPROXY_LIVE_API_KEY": KEY}
    code, said = session(VLLM_BACKEND_URL=live.url, VLLM_MODEL_NAME="m", **capped)
    assert code == 1, said
    assert "1 failed, 1 passed" in said
    assert live.asked == 2
    assert KEY not in said
