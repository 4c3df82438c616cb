"""How what an application saw becomes a letter, an error or a hang."""

from __future__ import annotations

import asyncio

import pytest

from tests.real.outcomes.seen import Seen, named, watch
from tests.real.outcomes.table import letter
from tests.real.sdk_bench import TEXT, cut, without


class Refused(Exception):
    """With a status, as the SDKs' errors."""

    status_code = 503
    code = "server_error"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Seen(TEXT, "stop"), "ok"),
        (Seen(TEXT), "ok"),
        (Seen(cut(5)), "T"),
        (Seen(cut(5), "stop"), "Ts"),
        (Seen(), "E"),
        (Seen("", "stop"), "Es"),
        (Seen(without(5), "stop"), "Cs"),
        (Seen(TEXT + TEXT), "C"),
        (Seen(cut(5), error="ReadError"), "ReadError"),
        (Seen(TEXT, "stop", "ReadError"), "ReadError"),
        (Seen(cut(5), error_event=True), "error event"),
        (Seen(TEXT, "stop", hung=True), "H"),
    ],
    ids=str,
)
def test_what_is_left(seen: Seen, expected: str) -> None:
    """An error that was told is none of the silent ones, and a hang is worse than both."""
    assert letter(seen) == expected


def test_an_error_is_named_with_its_status() -> None:
    """A code that is a word is no status."""
    assert named(Refused()) == "Refused[503]"
    assert named(ValueError()) == "ValueError"


async def test_a_question_is_cut_off_at_the_deadline() -> None:
    """What had come by then is kept."""

    async def ask(seen: Seen) -> None:
        seen.text = "Hello"
        await asyncio.Event().wait()

    assert await watch(ask, 0.01) == Seen("Hello", hung=True)


async def test_an_error_of_the_client_is_seen() -> None:
    """With the text before it."""

    async def ask(seen: Seen) -> None:
        seen.text = "Hello"
        raise Refused

    assert await watch(ask, 5) == Seen("Hello", error="Refused[503]")
