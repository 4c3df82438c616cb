"""The command line: parse, call, print. Heavy imports wait inside the commands, so that --help is instant."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point of ``chaosproxy``: every foreseen error becomes words and an exit code, never a traceback."""
    from chaosproxy.errors import ChaosError

    try:
        from chaosproxy.cli.app import app

        app()
    except KeyboardInterrupt:  # before a command could take it
        sys.exit(130)
    except ChaosError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `chaosproxy faults | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
