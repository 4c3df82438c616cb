"""What the log may know of an error: where it happened, and nothing of what the variables held."""

from __future__ import annotations

from traceback import format_exception


def plain_traceback(error: BaseException | None) -> str:
    """A traceback without local variables, which may hold keys and prompts.

    Loggers take it as ``stack``: whatever the log's configuration is, ``exc_info`` would leave the choice to it, and
    structlog's own default prints locals wherever rich is installed.
    """
    return "".join(format_exception(error)).rstrip()
