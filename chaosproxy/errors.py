"""The error tree: who is at fault decides the exit code.

Every error that may reach a user derives from :class:`ChaosError`; the command line prints its text and ends with its
``exit_code``. Anything else is a bug of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

MESSAGE_CHARS = 1_000
"""As much of a mistake is said; what is longer repeats what stands in the file."""
PROBLEMS_SHOWN = 200
"""As many mistakes are said at once."""
_USER_INFO = re.compile(r"(?:(?<=://)|\A)\S*@")
_QUERY = re.compile(r"(?<=\?)\S+")


_STEERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
"""What a terminal obeys, what turns the direction of text or ends its line, and what cannot be written."""


def printable(text: str) -> str:
    r"""Text of strangers for people: control characters and their like as ``\x1b``; line ends and tabs stay."""
    return _STEERS.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def shown_url(text: str) -> str:
    """What may be a URL as a message may repeat it: without user, password and query, which may be secret."""
    return _QUERY.sub("...", _USER_INFO.sub("...@", text))


class ChaosError(Exception):
    """Base of all errors that are shown to a user as words, never as a traceback."""

    exit_code: ClassVar[int] = 5


class UserError(ChaosError):
    """The user's file, flag or environment is wrong."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: where it stands, what is wrong and what would be right.

    ``line`` and ``column`` count from 1; 0 means unknown (a value that came from a flag).
    """

    source: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        message = self.message if len(self.message) <= MESSAGE_CHARS else f"{self.message[:MESSAGE_CHARS]}..."
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        return f"{place}: {self.path}: {message}" if self.path else f"{place}: {message}"


class InvalidExperiment(UserError):
    """An experiment file (or a proxies file) has mistakes; ``problems`` holds all of them, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        lines = [str(problem) for problem in problems[:PROBLEMS_SHOWN]]
        if len(problems) > PROBLEMS_SHOWN:
            lines.append(f"and {len(problems) - PROBLEMS_SHOWN} more mistakes")
        super().__init__("\n".join(lines))


class BadValue(ValueError):
    """A single value cannot be read; wrapped into a :class:`Problem` by whoever knows the line.

    It derives from ``ValueError`` so that pydantic reports it like any other validation error.
    """


class WireBroken(ChaosError):
    """Bytes on the wire do not follow their protocol."""


class UpstreamFailed(ChaosError):
    """The upstream could not be reached or broke off. ``kind`` is one of the constants below."""

    CONNECT: ClassVar[str] = "connect"
    TIMEOUT: ClassVar[str] = "timeout"
    TLS: ClassVar[str] = "tls"
    RESET: ClassVar[str] = "reset"
    INCOMPLETE: ClassVar[str] = "incomplete"
    PROTOCOL: ClassVar[str] = "protocol"

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class UpstreamUnusable(ChaosError):
    """An upstream that was to be looked at cannot be reached, or refuses: nothing is known of it."""

    exit_code = 3


class JournalBroken(UserError):
    """A journal cannot be read: not ours, a newer version, or damaged before its last line."""


class PartFailed(ChaosError):
    """A part of the run could not start or died: a busy port, a crashed process."""


class RunAborted(ChaosError):
    """An abort condition of the experiment was met."""

    exit_code = 4
