"""``chaosproxy WORDS`` in this process, by its own entry point."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

from chaosproxy.cli import main


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def chaosproxy(*words: str) -> Ended:
    """Run one command to its end; its standard input is empty."""
    out, err = StringIO(), StringIO()
    code = 0
    argv, stdin = patch.object(sys, "argv", ["chaosproxy", *words]), patch.object(sys, "stdin", StringIO())
    with argv, stdin, redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
    return Ended(code, out.getvalue(), err.getvalue())
