"""Server-sent events: frames at any split, reading, writing."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chaosproxy.wire.sse import SseEvent, SseSplitter, read_event, write_event
from tests.wire.splitting import feedings, pieces_of, split

STREAMS = {
    "LF": [b"data: a\n\n", b"data: b\n\n"],
    "CRLF": [b"data: a\r\n\r\n", b"data: b\r\n\r\n"],
    "CR": [b"data: a\r\r", b"data: b\r\r"],
    "LF before CRLF": [b"data: a\n\r\n", b"data: b\n\n"],
    "LF before CR": [b"data: a\n\r", b"data: b\n\n"],
    "CRLF before CR": [b"data: a\r\n\r", b"data: b\n\n"],
    "CRLF before LF": [b"data: a\r\n\n", b"data: b\n\n"],
    "CR before CRLF": [b"data: a\r\r", b"\ndata: b\n\n"],
    "several lines": [b"event: e\ndata: a\ndata: b\nid: 1\n\n"],
    "comments": [b": hi\n: there\n\n", b":\n\n", b"data: a\n\n"],
    "comment above data": [b": hi\ndata: a\n\n"],
    "byte order mark": [b"\xef\xbb\xbfdata: a\n\n", b"data: b\n\n"],
    "blank lines in a row": [b"data: a\n\n", b"\n", b"\n", b"data: b\n\n"],
    "blank CR lines in a row": [b"data: a\r\r", b"\r", b"\r", b"data: b\r\r"],
    "blank CRLF lines in a row": [b"data: a\r\n\r\n", b"\r\n", b"data: b\r\n\r\n"],
    "blank LF line first": [b"\n", b"data: a\n\n"],
    "blank CRLF line first": [b"\r\n", b"data: a\r\n\r\n"],
    "blank CR line first": [b"\r", b"data: a\r\r"],
    "U+2028 is no line end": ["data: a\u2028\u0085b\n\n".encode(), b"data: b\n\n"],
    "broken UTF-8": [b"data: \xff\xfe\n\n", b"data: b\n\n"],
    "not an event stream": [b"<html>\n\n", b"</html>\n\n"],
}
RESTS = [b"", b"data: cut", b"data: cut\n", b"d", b": "]


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("frames", STREAMS.values(), ids=STREAMS)
def test_frames_are_the_same_at_any_split(frames: list[bytes], rest: bytes) -> None:
    """The frames of a stream, and what trails it, do not depend on how the bytes arrive."""
    for pieces in feedings(b"".join(frames) + rest):
        assert split(SseSplitter, pieces) == (frames, rest)


@given(
    pieces_of(st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b"data: x", b":", b"\xef\xbb\xbf"]) | st.binary(max_size=4))
)
@example([b"\n\r", b"\n"])
@example([b"\r", b"\r\n"])
def test_any_bytes_come_back_whole(pieces: list[bytes]) -> None:
    """Frames and rest, joined, are the input, and splitting it otherwise gives the same frames."""
    frames, rest = split(SseSplitter, pieces)
    data = b"".join(pieces)

    assert b"".join(frames) + rest == data
    assert all(frames)
    assert split(SseSplitter, [data]) == (frames, rest)


@pytest.mark.parametrize("line_end", [b"\n", b"\r"])
def test_frame_is_given_with_its_last_byte(line_end: bytes) -> None:
    """A stream of LF or of CR line ends is never late: the frame comes with the byte that ends it."""
    splitter = SseSplitter()

    assert splitter.feed(b"data: a" + line_end) == []
    assert splitter.feed(line_end) == [b"data: a" + line_end * 2]


def test_half_of_a_crlf_waits_for_the_other() -> None:
    """After an LF, a CR at the end of a piece waits for one byte more."""
    splitter = SseSplitter()

    assert splitter.feed(b"data: a\r\n\r") == []
    assert splitter.pending == 10
    assert splitter.feed(b"\n") == [b"data: a\r\n\r\n"]


def test_flush_gives_a_cr_that_waited() -> None:
    """At the end of the body a half CRLF is not lost, and the splitter can begin anew."""
    splitter = SseSplitter()
    splitter.feed(b"data: a\r\n\r")

    assert splitter.flush() == b"data: a\r\n\r"
    assert splitter.feed(b"data: b\n\n") == [b"data: b\n\n"]


def test_a_long_event_in_small_pieces_takes_linear_time() -> None:
    """An event of a megabyte in pieces of four bytes is searched once, not once per piece."""
    event = b"data: " + b"x" * 1_000_000 + b"\n\n"
    pieces = [event[offset : offset + 4] for offset in range(0, len(event), 4)]
    splitter = SseSplitter()

    assert [frame for piece in pieces for frame in splitter.feed(piece)] == [event]


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (b"data: a\n\n", SseEvent(None, "a", None, None, None)),
        (b"data:a\r\n\r\n", SseEvent(None, "a", None, None, None)),
        (b"data:  a\r\r", SseEvent(None, " a", None, None, None)),
        (b"data: a\ndata: b\n\n", SseEvent(None, "a\nb", None, None, None)),
        (b"data\n\n", SseEvent(None, "", None, None, None)),
        (b"data:\ndata:\n\n", SseEvent(None, "\n", None, None, None)),
        (b"event: x\nevent: e\ndata: a\n\n", SseEvent("e", "a", None, None, None)),
        (b"event:\ndata: a\n\n", SseEvent(None, "a", None, None, None)),
        (b"id: 7\nretry: 3000\n\n", SseEvent(None, None, "7", 3000, None)),
        (b"id: a\0b\nretry: 3s\nretry: \xc2\xb2\n\n", SseEvent(None, None, None, None, None)),
        (b"retry: " + b"9" * 5000 + b"\n\n", SseEvent(None, None, None, None, None)),
        (b": a\n:b\n:\n\n", SseEvent(None, None, None, None, "a\nb\n")),
        (b"unknown: a\nDATA: a\n\n", SseEvent(None, None, None, None, None)),
        (b"\xef\xbb\xbfdata: a\n\n", SseEvent(None, "a", None, None, None)),
        (b"\ndata: a\n\n", SseEvent(None, "a", None, None, None)),
        (b"data: \xff\n\n", SseEvent(None, "\ufffd", None, None, None)),
        ("data: a\u2028b\n\n".encode(), SseEvent(None, "a\u2028b", None, None, None)),
        (b'data: {"a": 1}\n\n', SseEvent(None, '{"a": 1}', None, None, None)),
        (b"", SseEvent(None, None, None, None, None)),
    ],
)
def test_reading_follows_the_standard(frame: bytes, event: SseEvent) -> None:
    """Fields are read as WHATWG HTML 9.2.6 says."""
    assert read_event(frame) == event


@given(st.binary())
def test_reading_never_raises(frame: bytes) -> None:
    """Any bytes can be read as an event."""
    assert len(read_event(frame)) == 5


@pytest.mark.parametrize(
    ("frame", "keeps_alive"),
    [
        (b": hi\n\n", True),
        (b"event: ping\n\n", True),
        (b"event: ping\ndata: {}\n\n", True),
        (b": hi\ndata: a\n\n", False),
        (b"retry: 1\n\n", False),
        (b"<html>\n\n", False),
    ],
)
def test_keep_alives_are_comments_and_pings(frame: bytes, *, keeps_alive: bool) -> None:
    """Only what is sent against silence counts as a keep-alive."""
    assert read_event(frame).keeps_alive is keeps_alive


def test_writing_gives_the_bytes_that_providers_send() -> None:
    """The name first, one space after each colon, LF line ends, a blank line."""
    assert write_event("a") == b"data: a\n\n"
    assert write_event("a", "e") == b"event: e\ndata: a\n\n"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.none() | st.sampled_from(["e", "message_start"]))
def test_what_is_written_is_read_back(data: str, name: str | None) -> None:
    """Any text survives, but for its line ends, which all become LF; and it is one frame."""
    frame = write_event(data, name)
    expected = data.replace("\r\n", "\n").replace("\r", "\n")

    assert read_event(frame) == SseEvent(name, expected, None, None, None)
    assert split(SseSplitter, [frame]) == ([frame], b"")
