"""Exceptions in the log of a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosproxy.probes.validation.server_log import EXCEPTION, LINES_SHOWN, LogFile, log_check


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "openai.APIError: no",
        "java.lang.NullPointerException: x",
        "panic: runtime error",
        "12:00 FATAL out of memory",
    ],
)
def test_what_tells_of_an_exception(line: str) -> None:
    """In the words of several languages."""
    assert EXCEPTION.search(line)


@pytest.mark.parametrize(
    "line", ["GET /metrics/errors 200", "error_rate 0.1", "handled 3 errors", "TypeErrors are fun"]
)
def test_what_does_not(line: str) -> None:
    """Words that look like it."""
    assert not EXCEPTION.search(line)


async def test_only_what_is_new_is_read_and_a_few_lines_are_shown(tmp_path: Path) -> None:
    """Also of a file that was begun anew, and is shorter now."""
    log = LogFile(str(tmp_path / "log"))
    path = tmp_path / "log"
    path.write_text("OldError: x\n" * 20)
    await log.begin()
    assert (await log_check(log)).ok

    with path.open("a") as file:
        file.write("NewError: x\n" * 9)
    assert (await log_check(log)).detail.count("NewError") == LINES_SHOWN

    path.write_text("FreshError: x\n")
    assert (await log_check(log)).detail == "FreshError: x"
