"""Pauses and Retry-After."""

from __future__ import annotations

from random import Random

import pytest

from chaosproxy.lab.gateway.schedule import Pauses, parse_retry_after, retry_after

WALL_S = 1_445_412_420.0  # Wed, 21 Oct 2015 07:27:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 60.0),
        ("Wed, 21 Oct 2015 07:26:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
    ],
)
def test_retry_after_is_read_in_all_its_spellings(text: str, seconds: float | None) -> None:
    """Seconds, a fraction, an HTTP date; a time that has passed means now, and garbage means nothing."""
    assert parse_retry_after(text, WALL_S) == seconds


def test_milliseconds_go_first() -> None:
    """OpenAI's own header is the finer one."""
    assert retry_after({"retry-after": "2", "retry-after-ms": "1500"}, WALL_S) == 1.5
    assert retry_after({"retry-after": "2"}, WALL_S) == 2.0
    assert retry_after({"retry-after": "2", "retry-after-ms": "x"}, WALL_S) == 2.0
    assert retry_after({}, WALL_S) is None


def test_pauses_grow_with_jitter_up_to_a_bound() -> None:
    """Each lies in the upper half of a span that doubles until it reaches the bound."""
    pauses = Pauses(first_s=1.0, max_s=4.0, chance=Random(1))

    for ordinal, full_s in ((1, 1.0), (2, 2.0), (3, 4.0), (9, 4.0)):
        drawn = {pauses.before_retry(ordinal) for _ in range(50)}

        assert len(drawn) > 1
        assert full_s / 2 <= min(drawn) <= max(drawn) <= full_s


def test_the_same_seed_gives_the_same_pauses() -> None:
    """All chance comes from the generator that is passed in."""
    first, second = (Pauses(first_s=1.0, max_s=4.0, chance=Random(7)) for _ in range(2))

    assert [first.before_retry(n) for n in (1, 2)] == [second.before_retry(n) for n in (1, 2)]
