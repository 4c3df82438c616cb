"""What a text gives away about the way in which it went wrong: that it began anew, or is another call's. Pure."""

from __future__ import annotations

from chaosproxy.plan.identity import CALL_TAG

OPENING_CHARS = 32
"""How much of the opening must come back to call it a new beginning; longer than a call tag and a word."""
ECHO_CHARS_MIN = 16
"""Without a known text, an answer that restarts earlier than this cannot be told from one that stutters."""


def kept_chars(text: str, expected: str | None) -> int | None:
    """How many characters of ``text`` are those that ``expected`` begins with; None when that is not known."""
    if expected is None:
        return None
    differs_at = (index for index, (have, want) in enumerate(zip(text, expected, strict=False)) if have != want)
    return next(differs_at, min(len(text), len(expected)))


def restarted_at(text: str, expected: str | None) -> int | None:
    """The character at which the answer begins anew, or None.

    With the right text at hand its opening is looked for; without it, the opening that the answer itself had.
    """
    if expected is not None:
        found = text.find(expected[:OPENING_CHARS], 1) if len(expected) > 1 else -1
        return found if found > 0 else None
    found = text.find(text[:OPENING_CHARS], OPENING_CHARS) if len(text) > OPENING_CHARS else -1
    early = (
        at for at in range(ECHO_CHARS_MIN, OPENING_CHARS) if len(text) >= 2 * at and text.startswith(text[:at], at)
    )
    return next(early, found if found > 0 else None)


def foreign_tag(text: str, own: str | None) -> str | None:
    """The first call tag in ``text`` that is not ``own``; the beginning of a cut own tag is no other call's."""
    for match in CALL_TAG.finditer(text):
        cut = own is not None and own.startswith(match[0]) and not text[match.end() : match.end() + 1].isspace()
        if match[0] != own and not cut:
            return match[0]
    return None
