"""``chaosproxy demo`` as a newcomer runs it, but with its output in a pipe."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chaosproxy.cli.acts import ACTS

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_demo_keeps_its_promises() -> None:
    """Exit code 0, no escape sequence, every fault hits, each ending is what its lesson says, and what to do next."""
    ended = subprocess.run(
        [sys.executable, "-m", "chaosproxy", "demo"], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout
    assert "not hit" not in ended.stdout
    endings = [line.split(":", 1)[1].strip() for line in ended.stdout.splitlines() if "it ended:" in line]
    assert len(endings) == len(ACTS) == 5
    assert endings[0] == 'finish reason "stop", then [DONE]'
    assert endings[1] == "cleanly, without an exception, a finish reason or [DONE]"
    assert endings[2] == "nothing more for 3 s, so the client gave up"
    assert endings[3].startswith("an error event after status 200: server_error")
    assert endings[4] == "status 429 rate_limit_exceeded, retry-after 2 s"
    assert "chaosproxy run first-drill" in ended.stdout
