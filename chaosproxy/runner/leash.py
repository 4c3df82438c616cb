"""Run a user's command so that it cannot outlive the run: ``python -m chaosproxy.runner.leash -- COMMAND ...``.

The runner holds the other end of our standard input. When that pipe closes, for whatever reason (a kill -9 of the
runner included), the whole process group of the command is ended. Only the standard library is imported: this starts
beside every foreign command.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress

GRACE_S = 2.0
"""Between SIGTERM and SIGKILL."""
POLL_S = 0.1
"""How soon the end of the command is noticed."""


def main(command: list[str]) -> int:
    """Start ``command``, wait for its end or for EOF on standard input; its exit status, 128 + N for signal N."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - the user's own
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        return 127
    signal.signal(signal.SIGTERM, lambda *_: _end(child))
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], POLL_S)
        if readable and not os.read(sys.stdin.fileno(), 4096):
            _end(child)
    _signal(child, signal.SIGKILL)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _end(child: subprocess.Popen[bytes]) -> None:
    _signal(child, signal.SIGTERM)
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        _signal(child, signal.SIGKILL)
        child.wait()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the whole group: servers like to leave workers behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:] if sys.argv[1:2] == ["--"] else sys.argv[1:]))
