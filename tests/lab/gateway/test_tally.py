"""When an answer is whole."""

from __future__ import annotations

import pytest

from chaosproxy.events import OTHER, Kind, Meaning
from chaosproxy.lab.gateway.tally import Tally

TOKEN = Meaning(Kind.CONTENT, "word")
ARGUMENTS = Meaning(Kind.TOOL, "{}")
STOP = Meaning(Kind.FINISH, finish="stop")
TOOL_STOP = Meaning(Kind.FINISH, finish="tool_calls")
USAGE = Meaning(Kind.USAGE, output_tokens=2)
DONE = Meaning(Kind.TERMINAL)


def tally(*meanings: Meaning) -> Tally:
    """Fed with these events."""
    counted = Tally()
    for meaning in meanings:
        counted.see(meaning)
    return counted


@pytest.mark.parametrize(
    ("meanings", "gap"),
    [
        ((TOKEN, STOP, DONE), None),
        ((ARGUMENTS, TOOL_STOP, DONE), None),
        ((OTHER, TOOL_STOP, DONE), None),
        ((), "an answer without content"),
        ((STOP, DONE), "an answer without content"),
        ((TOKEN, TOKEN, DONE), "no finish reason after 2 events"),
        ((TOKEN, STOP), "no terminal event after 1 events"),
    ],
)
def test_an_answer_is_whole_with_content_finish_reason_and_terminal_event(
    meanings: tuple[Meaning, ...], gap: str | None
) -> None:
    """Each that is missing is named; a tool call without arguments needs no content."""
    assert tally(*meanings).gap() == gap


@pytest.mark.parametrize(
    ("meanings", "miscount"),
    [
        ((TOKEN, ARGUMENTS, USAGE), None),
        ((TOKEN, USAGE), "1 events came of 2 tokens that were reported"),
        ((TOKEN, TOKEN, TOKEN, USAGE), "3 events came of 2 tokens that were reported"),
        ((TOKEN, TOKEN), "no usage was reported, so 2 events cannot be vouched for"),
        ((TOKEN, Meaning(Kind.USAGE)), "no usage was reported, so 1 events cannot be vouched for"),
    ],
)
def test_the_reported_usage_must_agree_with_what_came(meanings: tuple[Meaning, ...], miscount: str | None) -> None:
    """A lost event, an event twice and a report that never came are three different things."""
    assert tally(*meanings).miscount() == miscount
