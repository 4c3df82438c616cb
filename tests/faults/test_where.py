"""``where``: how users spell a place, and finding it in an answer."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from chaosproxy.errors import BadValue
from chaosproxy.events import RAW, Ask, Frame, Framing, Head, Kind, Meaning, Miss, Seen, Tick
from chaosproxy.faults.where import Place, Where, WhereSetting

TOKEN = Meaning(Kind.CONTENT, "x")
DONE = Meaning(Kind.TERMINAL)


class Holder(BaseModel):
    where: WhereSetting


@pytest.mark.parametrize(
    ("text", "unit", "count"),
    [
        ("token:5", "token", 5),
        ("event:0", "event", 0),
        ("byte:16777216", "byte", 16777216),
        ("percent:12.5", "percent", 12.5),
        ("first_event", "event", 1),
        ("before_terminal", "before_terminal", 0),
        ("after_terminal", "after_terminal", 0),
    ],
)
def test_every_spelling_is_read_and_written_back(text: str, unit: str, count: float) -> None:
    """A place survives the way through JSON."""
    where = Holder(where=text).where  # type: ignore[arg-type]

    assert where == Where(unit, count)
    assert Holder.model_validate_json(Holder(where=where).model_dump_json()).where == where


@pytest.mark.parametrize("text", ["token", "token:", "token:-1", "percent:101", "word:3", "token:1.5", ""])
def test_another_spelling_is_refused_with_the_allowed_ones(text: str) -> None:
    """The message names the value and what would be right."""
    with pytest.raises(BadValue, match=r"expected event:N, token:N, .*got") as caught:
        Where.parse(text)

    assert repr(text) in str(caught.value)


def test_web_socket_places_are_refused_elsewhere() -> None:
    """``message:N`` is for WebSocket faults; a place that cannot be honoured is refused."""
    with pytest.raises(ValidationError, match=r"message:3 is for WebSocket faults \(ws"):
        Holder(where="message:3")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("token:5", "token 5", "after token 5"),
        ("token:0", "the first token", "before the first token"),
        ("message:2", "message 2", "after message 2"),
        ("percent:50", "50 % of the body", "after 50 % of the body"),
        ("before_terminal", "the terminal event", "before the terminal event"),
        ("after_terminal", "the terminal event", "after the terminal event"),
    ],
)
def test_a_place_speaks_in_sentences(text: str, words: str, place: str) -> None:
    """For the journal and the terminal."""
    where = Where.parse(text)

    assert (where.words(), where.place()) == (words, place)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("event:0", [0, None, None, None]),
        ("event:1", [4, None, None, None]),
        ("token:0", [None, 0, None, None]),
        ("token:2", [None, None, 6, None]),
        ("byte:0", [0, None, None, None]),
        ("byte:4", [None, 0, None, None]),
        ("byte:7", [None, 3, None, None]),
        ("before_terminal", [None, None, None, 0]),
        ("after_terminal", [None, None, None, 2]),
    ],
)
def test_a_place_is_found_once_with_the_bytes_before_it(text: str, found: list[int | None]) -> None:
    """Frames of 4, 5, 6 and 2 bytes: an opening, two tokens, the terminal event."""
    place = Place(Where.parse(text), Seen())
    frames = [Frame(1.0, b"role"), Frame(1.0, b"hello", TOKEN), Frame(1.0, b" world", TOKEN), Frame(1.0, b"[]", DONE)]

    assert place.miss(Head(0.5, 200, streamed=True)) is None
    assert [_until_found(place, frame, frames, found) for frame in frames] == found


def _until_found(place: Place, frame: Frame, frames: list[Frame], found: list[int | None]) -> int | None:
    """A stage stops looking once it has found its place."""
    earlier = found[: frames.index(frame)]
    return None if any(before is not None for before in earlier) else place.offset(frame)


def test_a_percentage_counts_the_announced_length() -> None:
    """50 % of 20 bytes is byte 10."""
    place = Place(Where.parse("percent:50"), Seen())

    assert place.miss(Head(0.0, 200, headers=(("content-length", "20"),), framing=Framing.LENGTH)) is None
    assert place.offset(Frame(1.0, b"12345678", RAW)) is None
    assert place.offset(Frame(2.0, b"12345678", RAW)) == 2


@pytest.mark.parametrize(
    ("text", "head", "reason"),
    [
        ("token:1", Head(0.0, 200), "the answer was not streamed"),
        ("percent:50", Head(0.0, 200), "the length of the answer is not known, so a percentage of it is not either"),
        ("byte:20", Head(0.0, 200, "", (("content-length", "20"),), Framing.LENGTH), "the answer has only 20 bytes"),
    ],
)
def test_a_head_may_show_that_the_place_will_not_come(text: str, head: Head, reason: str) -> None:
    """Then the reason is known at once, also for a fault that comes after the head."""
    assert Place(Where.parse(text), Seen()).miss(head) == Miss(0.0, reason)
    assert Place(Where.parse(text), Seen(head=head, open=True)).miss(Tick(3.0)) == Miss(3.0, reason)


@pytest.mark.parametrize(
    ("text", "late"),
    [
        ("event:3", True),
        ("event:4", False),
        ("token:2", True),
        ("token:0", True),
        ("token:3", False),
        ("byte:99", True),
        ("byte:100", False),
        ("before_terminal", False),
    ],
)
def test_a_fault_that_comes_late_knows_what_has_passed(text: str, late: bool) -> None:
    """Three events, two tokens and 100 bytes had passed."""
    passed = Seen(events=3, tokens=2, bytes=100, head=Head(0.0, 200, streamed=True), open=True)

    found = Place(Where.parse(text), passed).miss(Tick(5.0))

    assert isinstance(found, Miss) == late


def test_a_fault_that_comes_between_request_and_head_sees_all() -> None:
    """Nothing has passed, and the request is none of its business."""
    place = Place(Where.parse("token:1"), Seen(open=True))

    assert place.miss(Tick(1.0)) is None
    assert place.miss(Ask(1.0)) is None
