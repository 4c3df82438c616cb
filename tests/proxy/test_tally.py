"""What passes is read later, in batches, and the counts are those of a reader that takes each frame as it comes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.events import OTHER, TOKEN, Frame, Head, Kind, Meaning
from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import Edge
from chaosproxy.proxy.event_tally import UNREAD_BYTES, EventTally, tally_of
from chaosproxy.proxy.tally import Tally
from chaosproxy.wire.dialects import DIALECTS, dialect
from chaosproxy.wire.dialects.base import flaw_of, is_sse
from chaosproxy.wire.sse import write_event
from tests.proxy.streams import frames_of, pieces_of

DELTA = "content_block_delta"
NAMES = [known.name for known in DIALECTS if known.name != "raw"]
HEAD = Head(0.0, 200, "", (("content-type", "text/event-stream"),), streamed=True)


def plain_reading(name: str, pieces: list[bytes]) -> Edge:
    """Frame by frame with the general reader, at the moment each one is complete."""
    spoken = dialect(name)
    splitter = spoken.splitter()
    read: list[tuple[int, Meaning]] = []
    frames: list[bytes] = []
    for at, piece in enumerate(pieces):
        frames += (whole := splitter.feed(piece))
        read += [(at, spoken.read_event(frame)) for frame in whole]
    if rest := splitter.flush():
        read.append((len(pieces), spoken.read_event(rest)))
        frames += [] if is_sse(spoken) else [rest]  # clients drop half an event
    unread = [frame for frame in frames if spoken.read_event(frame) == OTHER]
    meanings = [meaning for _, meaning in read]
    return Edge(
        first_content_at=next((at for at, meaning in read if meaning.text or meaning.kind & TOKEN), None),
        events=len(read),
        tokens=sum(bool(meaning.kind & TOKEN) for meaning in meanings),
        bytes=sum(map(len, pieces)),
        terminal=any(meaning.kind & Kind.TERMINAL for meaning in meanings),
        finish=next((meaning.finish for meaning in reversed(meanings) if meaning.finish), None),
        error_event=any(meaning.kind & Kind.ERROR for meaning in meanings),
        malformed=any(flaw_of(spoken, frame, OTHER) for frame in unread),
        text=fingerprint("".join(meaning.text for meaning in meanings)),
        prompt_tokens=_last([meaning.prompt_tokens for meaning in meanings]),
        output_tokens=_last([meaning.output_tokens for meaning in meanings]),
    )


def edge_of(tally: Tally) -> Edge:
    """What a journal gets, but for its times, which are absolute there."""
    edge = Edge.model_validate(tally.values(100.0))
    at = edge.first_content_at
    return edge if at is None else edge.model_copy(update={"first_content_at": at - 100.0})


def _last(counts: list[int | None]) -> int | None:
    return next((count for count in reversed(counts) if count is not None), None)


def stream_tally(name: str) -> Tally:
    """For a streamed answer."""
    return tally_of(dialect(name), HEAD, {}, 0)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_an_ordinary_content_event_is_read_as_by_the_general_reader(name: str, data: st.DataObject) -> None:
    """What the quick reader takes for content is content with that text, and nothing else."""
    spoken = dialect(name)
    for frame in data.draw(frames_of(name)):
        for half in (frame, frame[:-1], frame.replace(b"\n", b"\r")):
            text = spoken.content_delta(half)

            assert text is None or (text and spoken.read_event(half) == Meaning(Kind.CONTENT, text))


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("openai.chat", b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'),
        ("openai.chat", b'data: {"choices":[{"delta":{"role":"assistant","content":"hi"}}],"usage":null}\n\n'),
        (
            "anthropic.messages",
            write_event(
                '{"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}', "content_block_delta"
            ),
        ),
    ],
)
def test_what_providers_send_most_is_read_quickly(name: str, frame: bytes) -> None:
    """Else all of it would be read whole, and nobody would notice but for the cost."""
    assert dialect(name).content_delta(frame) == "hi"


@pytest.mark.parametrize(
    "beside",
    [
        {"usage": {"prompt_tokens": 1}},
        {"error": "x"},
        {"choices": []},
        {"choices": [{"delta": {"content": "hi"}}] * 2},
        {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]},
        *(
            {"choices": [{"delta": {"content": "hi", key: value}}]}
            for key, value in [
                ("reasoning_content", "x"),
                ("reasoning", "x"),
                ("refusal", "x"),
                ("tool_calls", [{"function": {"arguments": "x"}}]),
                ("function_call", {"arguments": "x"}),
            ]
        ),
    ],
    ids=str,
)
def test_an_event_that_says_more_is_read_whole(beside: dict[str, object]) -> None:
    """Usage, errors, ends, tools and reasoning count, too."""
    chunk = {"choices": [{"delta": {"content": "hi"}}]} | beside

    assert dialect("openai.chat").content_delta(write_event(json.dumps(chunk))) is None


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_a_batch_is_counted_like_its_frames_one_by_one(name: str, data: st.DataObject) -> None:
    """Every count, the time of the first content, and the fingerprint."""
    pieces = data.draw(pieces_of(name))
    tally = stream_tally(name)
    for at, piece in enumerate(pieces):
        tally.collect(piece, at)
    tally.flush(len(pieces))

    assert edge_of(tally) == plain_reading(name, pieces)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_it_does_not_matter_when_somebody_looks(name: str, data: st.DataObject) -> None:
    """Frames may be asked for, and a tally forked, at any piece; the fork counts what the other did."""
    pieces = data.draw(pieces_of(name))
    tally = stream_tally(name)
    forks: list[Tally] = []
    for at, piece in enumerate(pieces):
        if data.draw(st.integers(0, 3)) == 0:
            forks.append(tally.fork())
        for each in (tally, *forks):
            getattr(each, data.draw(st.sampled_from(["collect", "collect", "feed"])))(piece, at)
        if data.draw(st.booleans()):
            assert len({each.seen for each in (tally, *forks)}) == 1
    for each in (tally, *forks):
        each.flush(len(pieces))

        assert edge_of(each) == plain_reading(name, pieces)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_frames_that_left_a_chain_are_counted_by_what_they_mean(name: str, data: st.DataObject) -> None:
    """Untouched frames, halves, edited ones and foreign ones: always as if all bytes had been read."""
    received, sent = stream_tally(name), stream_tally(name)
    out: list[bytes] = []
    for piece in data.draw(pieces_of(name)):
        for frame in received.feed(piece, 0.0):
            at = float(len(out))
            match data.draw(st.sampled_from(["pass", "pass", "pass", "cut", "half", "edit", "drop"])):
                case "pass":
                    frames = [Frame(at, frame.data, frame.meaning)]
                case "cut":
                    half = len(frame.data) // 2
                    frames = [Frame(at, frame.data[:half]), Frame(at, frame.data[half:], frame.meaning)]
                case "half":
                    frames = [Frame(at, frame.data[:-1], frame.meaning)]
                case "edit":
                    frames = [Frame(at, frame.data + b"\r\n", frame.meaning)]
                case _:
                    frames = []
            for changed in frames:
                sent.count(changed, float(len(out)))
                out.append(changed.data)
    sent.flush(len(out))

    assert edge_of(sent) == plain_reading(name, out)


@pytest.mark.parametrize("before", [b"data: x\r\r", b"data: half\n", b"\r", b"data: x\n\r"])
def test_a_counted_frame_leaves_the_reader_where_its_bytes_would(before: bytes) -> None:
    """Behind it a line end is judged by the frame's last byte, and inside of another frame it is no frame."""
    received, sent = stream_tally("openai.chat"), stream_tally("openai.chat")
    (frame,) = received.feed(write_event('{"choices":[{"delta":{"content":"hi"}}]}'), 0.0)
    sent.collect(before, 0.0)
    sent.count(frame, 1.0)
    sent.collect(b"\n", 2.0)
    sent.collect(b"data: y\n\n", 3.0)

    assert edge_of(sent) == plain_reading("openai.chat", [before, frame.data, b"\n", b"data: y\n\n"])


def test_what_waits_to_be_read_is_bounded() -> None:
    """A thousand streams must not hold a thousand answers; tiny pieces are bounded, too."""
    for piece in (b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n', b"x"):
        tally = stream_tally("openai.chat")
        assert isinstance(tally, EventTally)
        tally.collect(b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n', 0.0)
        waiting = []
        for _ in range(1000):
            tally.collect(piece, 1.0)
            waiting.append((sum(map(len, tally._unread)), len(tally._unread)))

        assert 0 < max(size for size, _ in waiting) <= UNREAD_BYTES
        assert max(count for _, count in waiting) <= UNREAD_BYTES / 100


@given(st.lists(st.binary(max_size=9), max_size=5))
def test_a_body_without_events_is_counted_by_its_pieces(pieces: list[bytes]) -> None:
    """Nothing in it means anything."""
    tally = Tally()
    frames = [frame for at, piece in enumerate(pieces) for frame in tally.feed(piece, at)]

    assert [frame.data for frame in frames] == [piece for piece in pieces if piece]
    assert tally.flush(9.0) == []
    assert edge_of(tally) == Edge(events=len(frames), bytes=sum(map(len, pieces)))


def test_a_plain_answer_is_read_at_its_end() -> None:
    """Its text came with the first byte; one that is too long to keep is counted only."""
    body = b'{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}'
    for limit, text in ((len(body), "hello"), (len(body) - 1, "")):
        tally = tally_of(dialect("openai.chat"), Head(0.0, 200), {}, limit)
        for at, place in ((2.0, slice(0, 9)), (3.0, slice(9, None))):
            tally.collect(body[place], at)
        edge = edge_of(tally.fork())

        assert edge == edge_of(tally)
        assert edge.text == fingerprint(text)
        assert edge.first_content_at == (2.0 if text else None)
        assert (edge.events, edge.tokens, edge.bytes) == (2, 0, len(body))
