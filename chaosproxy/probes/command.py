"""Looks at how a program ends and what it prints."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress

from chaosproxy.experiment.probe import Seen
from chaosproxy.experiment.probe_kinds import CommandProbe

OUTPUT_BYTES_MAX = 64 << 20
"""A program that prints more is ended."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


class CannotRun(Exception):
    """A program could not be started, or prints without end; the text says why."""


async def look(probe: CommandProbe) -> Seen:
    """Run it once."""
    try:
        status, output = await run(probe.command)
    except CannotRun as error:
        return Seen("unknown", None, str(error))
    return judged(probe, status, output.decode("utf-8", "replace"))


def judged(probe: CommandProbe, status: int, output: str) -> Seen:
    """How it ended, as what was seen. Output is not repeated: it may hold anything."""
    expect = probe.expect
    number = _NUMBER.search(output) if probe.gives_value else None
    value = None if number is None else float(number[0])
    if status != expect.exit:
        how = f"ended by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        return Seen("failed", value, f"{how}, expected {expect.exit}")
    if expect.stdout is not None and re.search(expect.stdout, output) is None:
        return Seen("failed", value, "its output does not match")
    if not probe.gives_value:
        return Seen("ok")
    if value is None:
        return Seen("failed", None, "there is no number in its output")
    return Seen.by(expect.value, value, "its number")


async def run(argv: Sequence[str]) -> tuple[int, bytes]:
    """Exit status (negative: minus the signal) and output. Raises CannotRun.

    When this is cancelled, the program and everything that it started is killed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, start_new_session=True
        )
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "its name cannot be used"
        raise CannotRun(f"cannot start {argv[0]}: {why.lower()}") from None
    try:
        return await _output(process)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _output(process: Process) -> tuple[int, bytes]:
    output = bytearray()
    if process.stdout is not None:
        while part := await process.stdout.read(1 << 16):
            output += part
            if len(output) > OUTPUT_BYTES_MAX:
                raise CannotRun(f"it prints more than {OUTPUT_BYTES_MAX >> 20} MiB")
    return await process.wait(), bytes(output)
