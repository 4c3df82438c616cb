"""The command line: parse, call, print. Heavy imports wait inside the commands, so that --help is instant."""

from __future__ import annotations

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
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # `chaosproxy schema | head`: typer's 1 would say deviated
            sys.exit(0)
        raise
