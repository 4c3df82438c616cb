"""Whole pytest sessions with our plugin, each in a process of its own.

They load plugins by name only, so that it does not matter what is installed here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SESSION_S = 240.0
HEADER = """\
import asyncio, os, sys
import httpx, pytest

BODY = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}

def ask(backend, **more):
    return httpx.post(backend.url + "/v1/chat/completions", json={**BODY, **more}, timeout=30, trust_env=False)

"""


class Ended:
    """A session that is over."""

    def __init__(self, ended: subprocess.CompletedProcess[str]) -> None:
        self.code = ended.returncode
        self.out = ended.stdout + ended.stderr

    def outcomes(self) -> dict[str, int]:
        """Of its last line: passed, failed, skipped, deselected, error."""
        last = [line for line in self.out.splitlines() if re.search(r"\d+ \w+.* in [\d.]+s", line)][-1]
        found = re.findall(r"(\d+) (passed|failed|skipped|deselected|error)", last)
        return {word: int(count) for count, word in found}


class Sessions:
    """Writes test files into a folder and runs them there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pytest.ini").touch()

    def __call__(
        self,
        *arguments: str,
        test: str = "",
        plugins: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        files: dict[str, str] | None = None,
    ) -> Ended:
        """``test`` is the body of test_it.py, which begins with HEADER; ``plugins`` are modules."""
        texts = {**({"test_it.py": HEADER + test} if test else {}), **(files or {})}
        for name, text in texts.items():
            (self.folder / name).write_text(text, "utf-8")
        given = [word for name in ("chaosproxy.pytest_plugin", *plugins) for word in ("-p", name)]
        return Ended(
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-W", "error", *given, *arguments],
                cwd=self.folder,
                env={**_environment(), **(env or {})},
                capture_output=True,
                text=True,
                timeout=SESSION_S,
                check=False,
            )
        )


def _environment() -> dict[str, str]:
    """Ours, without what would reach into the session."""
    others = ("CHAOSPROXY_", "VLLM_", "PYTEST_", "OPENAI_", "CI", "BUILD_NUMBER")  # in CI pytest prints more
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    paths = os.pathsep.join(filter(None, [*_FIRST, str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**kept, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "120"}


_FIRST = tuple(filter(None, [os.environ.get("CHAOSPROXY_TEST_PYTEST", "")]))
"""A folder with another version of pytest, for these sessions only."""
