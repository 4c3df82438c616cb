"""The gateway as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

SETTINGS = json.dumps({"upstreams": {"primary": "http://127.0.0.1:1"}, "first_token": "250ms"})
COMMAND = [sys.executable, "-m", "chaosproxy.lab.gateway"]


def test_it_says_where_it_listens_and_ends_with_its_leash() -> None:
    """One ready line; at EOF of stdin it ends with 0."""
    command = [*COMMAND, "--settings", SETTINGS, "--listen", "127.0.0.1:0", "--leash"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        ready = json.loads(process.stdout.readline())
        process.stdin.close()

        assert process.wait(10) == 0
    assert ready["ready"]
    assert ready["url"].startswith("http://127.0.0.1:")


def test_settings_that_contradict_are_refused() -> None:
    """Exit code 2 and the reason; a naive gateway has no single defect."""
    settings = json.dumps({"upstreams": {"a": "http://x"}, "profile": "naive", "defect": "no_fallback"})
    ended = subprocess.run([*COMMAND, "--settings", settings], capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 2
    assert "a mutant is a resilient gateway" in ended.stderr
