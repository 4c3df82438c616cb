"""The command line: parse, call, print. Heavy imports wait inside the commands, so that --help is instant."""

from __future__ import annotations

import errno
import sys

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main() -> None:
    """Entry point of ``chaosproxy``: every foreseen error becomes words and an exit code, never a traceback."""
    from chaosproxy.errors import ChaosError, printable

    try:
        from chaosproxy.cli.app import app

        app()
    except KeyboardInterrupt:  # before a command could take it
        sys.exit(130)
    except ChaosError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        sys.exit(error.exit_code)
    except SystemExit as ended:
        sys.exit(_code(ended))
    except Exception as error:  # noqa: BLE001 - a bug of ours: Python's own 1 would mean that an experiment deviated
        if isinstance(error, OSError) and error.errno in _FULL:
            sys.stderr.write(f"the output cannot be written: {error.strerror}\n")
            sys.stdout = None  # what is still in its buffer would fail once more
        else:
            import traceback

            traceback.print_exc()
        sys.exit(ChaosError.exit_code)


def _code(ended: SystemExit) -> str | int | None:
    """Two ends for which typer says 1, which would mean that an experiment deviated."""
    import typer

    match ended.__context__:
        case BrokenPipeError():  # `chaosproxy schema | head`
            return 0
        case typer.Abort():  # Ctrl-C at a question
            return 130
    return ended.code
