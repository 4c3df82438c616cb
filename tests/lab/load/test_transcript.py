"""What a call's record says, for everything that may come back."""

from __future__ import annotations

import json
from itertools import count
from typing import get_args

import pytest

from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import Call
from chaosproxy.lab.load.heard import BODY_LIMIT_BYTES
from chaosproxy.lab.load.question import Question
from chaosproxy.lab.load.transcript import Transcript
from chaosproxy.lab.text import expected_answer
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.names import ApiName

TAG = "cp-abcd12-7"
PIECES = tuple(expected_answer(TAG, 6))
TEXT = "".join(PIECES)
ANSWER = Answer("1", "m", 1, PIECES, prompt_tokens=3, output_tokens=6, include_usage=True)
OPENAI = dialect("openai.chat")
ANTHROPIC = dialect("anthropic.messages")
both = pytest.mark.parametrize("spoken", [OPENAI, ANTHROPIC], ids=lambda spoken: str(spoken.name))
every = pytest.mark.parametrize("spoken", [*map(dialect, get_args(ApiName))], ids=lambda spoken: str(spoken.name))


def _transcript(spoken: Dialect = OPENAI, *, stream: bool = True) -> Transcript:
    return Transcript(Question(TAG, 7, True, "m", "/", b"{}", TEXT, 6), spoken, stream=stream)


def _call(transcript: Transcript) -> Call:
    return transcript.call("chat", 10.0, 10.5)


def _hear(frames: list[bytes], spoken: Dialect = OPENAI, *, status: int = 200, stream: bool = True) -> Call:
    """Head at 11, then one piece a second, then the end of the body."""
    transcript = _transcript(spoken, stream=stream)
    times = count(11)
    transcript.head(next(times), status)
    for frame in frames:
        transcript.data(next(times), frame)
    transcript.end(next(times))
    assert transcript.over
    return _call(transcript)


@every
def test_whole_stream(spoken: Dialect) -> None:
    """Every field of a call that went well."""
    frames = spoken.stream_frames(ANSWER)
    call = _hear(frames, spoken)

    assert (call.error, call.status, call.terminal, call.chunks) == (None, 200, True, 6)
    assert (call.text, call.expected, call.output_tokens, call.expected_tokens) == (fingerprint(TEXT), call.text, 6, 6)
    assert (call.restarted_at, call.foreign) == (None, None)
    assert call.gaps_ms == [1000] * 5
    assert (call.intended_at, call.sent_at, call.head_at, call.end_at) == (10, 10.5, 11, 11 + len(frames))
    assert call.last_content_at == (call.first_content_at or 0) + 5
    assert call.finish in ("stop", "end_turn", "completed", "STOP")


@every
def test_clean_cut_is_no_error_here(spoken: Dialect) -> None:
    """An early but proper end is what SDKs take for a whole answer; the judge compares the text."""
    call = _hear(spoken.stream_frames(ANSWER)[:5], spoken)

    assert (call.error, call.terminal, call.finish) == (None, False, None)
    assert 0 < call.text.chars < len(TEXT)
    assert call.kept_chars == call.text.chars


@both
def test_half_an_event_is_dropped(spoken: Dialect) -> None:
    """A body that ends within an event is as silent as one that ends before it."""
    frames = spoken.stream_frames(ANSWER)[:6]

    assert _hear([*frames[:-1], frames[-1][:-9]], spoken).text == _hear(frames[:-1], spoken).text


@both
def test_last_blank_line_may_be_missing(spoken: Dialect) -> None:
    """A complete last event counts, as it does for the SDKs."""
    whole = b"".join(spoken.stream_frames(ANSWER))

    assert _hear([whole[:-1]], spoken).terminal


@every
def test_error_event_ends_the_call(spoken: Dialect) -> None:
    """Its type is kept, its message is not: it may quote the prompt."""
    frames = [
        *spoken.stream_frames(ANSWER)[:4],
        spoken.error_event(None, "secret words"),
        *spoken.stream_frames(ANSWER),
    ]
    call = _hear(frames, spoken)

    assert call.error is not None
    assert call.error.kind == "event"
    assert call.error.message in ("server_error", "overloaded_error", "UNAVAILABLE", "")  # Ollama names none
    assert (call.terminal, call.chunks <= 4) == (False, True)


@every
@pytest.mark.parametrize("stream", [True, False])
def test_status_is_an_error(spoken: Dialect, stream: bool) -> None:
    """The status and the provider's name for it, never its message."""
    _, body = spoken.error(429, error_type=None, code=None, message="secret words")
    call = _hear([body], spoken, status=429, stream=stream)

    assert call.error is not None
    assert call.error.kind == "http"
    assert call.error.message.partition(" ")[0] == "429"
    assert "secret" not in call.error.message


def test_html_error_page_is_an_error_without_a_name() -> None:
    """What the edge says when the provider does not."""
    call = _hear([b"<html>Bad gateway</html>"], status=502)

    assert (call.error and call.error.message, call.text.chars) == ("502", 0)


@every
def test_plain_answer(spoken: Dialect) -> None:
    """One chunk, at the end; complete because it says why it finished."""
    body = spoken.plain_body(ANSWER)
    call = _hear([body[:20], body[20:]], spoken, stream=False)

    assert (call.error, call.text, call.chunks, call.terminal) == (None, fingerprint(TEXT), 1, True)
    assert (call.first_content_at, call.output_tokens, call.gaps_ms) == (14, 6, [])


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>Log in</html>", "protocol"), (b"", "protocol"), (b'{"error":{"type":"server_error"}}', "event")],
)
def test_plain_answer_that_is_none(body: bytes, kind: str) -> None:
    """A 200 without an answer is an error, as it is for an SDK that must parse it."""
    call = _hear([body], stream=False)

    assert (call.error and call.error.kind) == kind


@pytest.mark.parametrize("body", [OPENAI.plain_body(ANSWER), b"", b'{"error":{"type":"server_error"}}'])
def test_plain_body_on_a_streamed_request_is_an_empty_answer(body: bytes) -> None:
    """SDKs see no event and raise nothing."""
    call = _hear([body])

    assert (call.error, call.text.chars, call.terminal) == (None, 0, False)


@pytest.mark.parametrize(
    ("frame", "words"),
    [(b'data: {"a": \n\n', "JSON"), (b"data: \xff\xfe\n\n", "UTF-8"), (b"data: upstream died\n\n", "JSON")],
)
@both
def test_event_that_cannot_be_read_is_an_error(spoken: Dialect, frame: bytes, words: str) -> None:
    """SDKs raise there, whatever their exception is called."""
    named = frame if spoken is OPENAI else b"event: content_block_delta\n" + frame
    call = _hear([*spoken.stream_frames(ANSWER)[:4], named], spoken)

    assert call.error is not None
    assert call.error.kind == "protocol"
    assert words in call.error.message


@pytest.mark.parametrize(
    "frame", [b": ping\n\n", b"data:\n\n", b"event: ping\n\n", b"\n", b"data: null\n\n", b"id: 1\n\n"]
)
@both
def test_noise_is_ignored(spoken: Dialect, frame: bytes) -> None:
    """Comments, pings and empty events change nothing."""
    frames = spoken.stream_frames(ANSWER)
    call = _hear([*frames[:4], frame, *frames[4:]], spoken)

    assert (call.error, call.text, call.terminal) == (None, fingerprint(TEXT), True)


def test_nothing_counts_after_the_terminal_event() -> None:
    """Neither more words nor a broken connection."""
    transcript = _transcript()
    transcript.head(11, 200)
    frames = OPENAI.stream_frames(ANSWER)
    transcript.data(12, b"".join([*frames, *frames]))
    transcript.failed(13, "reset", "")
    transcript.end(14)
    call = _call(transcript)

    assert (call.error, call.end_at, call.text) == (None, 12, fingerprint(TEXT))
    assert transcript.completed


def test_failure_keeps_what_came_before() -> None:
    """The text so far is part of the record, and the call is not complete."""
    transcript = _transcript()
    transcript.head(11, 200)
    transcript.data(12, b"".join(OPENAI.stream_frames(ANSWER)[:3]))
    transcript.failed(13, "reset", "Connection reset by peer")
    call = _call(transcript)

    assert (call.error and call.error.kind, call.end_at, call.chunks) == ("reset", 13, 2)
    assert not transcript.completed


def test_failure_before_the_head() -> None:
    """Nothing but the error is known."""
    transcript = _transcript()
    transcript.failed(11, "connect", "Connection refused")
    call = _call(transcript)

    assert (call.status, call.head_at, call.end_at, call.first_content_at) == (None, None, 11, None)


def test_restart_and_leak_are_marked() -> None:
    """Text that begins anew, and text of another call."""
    frames = OPENAI.stream_frames(ANSWER)
    again = _hear([*frames[:4], *frames])
    other = Answer("1", "m", 1, tuple(expected_answer("cp-abcd12-8", 6)))

    assert again.restarted_at == len("".join(PIECES[:3]))
    assert _hear(OPENAI.stream_frames(other)).foreign == "cp-abcd12-8"


def test_endless_event_is_refused() -> None:
    """Memory is bounded."""
    transcript = _transcript()
    transcript.head(11, 200)
    transcript.data(12, b"data: " + b"x" * BODY_LIMIT_BYTES)

    assert _call(transcript).error is not None


def test_prompt_and_text_stay_out_of_the_record() -> None:
    """A journal keeps fingerprints."""
    record = _hear(OPENAI.stream_frames(ANSWER)).model_dump_json()

    assert PIECES[1].strip() not in json.dumps(json.loads(record), ensure_ascii=False)


@pytest.mark.parametrize("name", ["gemini.array", "ollama", "ollama.generate"])
def test_half_a_line_or_element_is_a_flaw(name: str) -> None:
    """Who reads lines or an array finds JSON that breaks off, where half a server-sent event is nothing."""
    spoken = dialect(name)
    frames = spoken.stream_frames(ANSWER)[:4]
    call = _hear([*frames[:-1], frames[-1][:-9]], spoken)

    assert call.error is not None
    assert (call.error.kind, call.error.message) == ("protocol", "an event is not JSON")
    assert call.chunks == 3


@pytest.mark.parametrize("name", ["gemini.array", "ollama", "ollama.generate"])
def test_a_line_or_element_that_is_not_json_is_a_flaw(name: str) -> None:
    """As soon as it has come."""
    spoken = dialect(name)
    frames = spoken.stream_frames(ANSWER)
    broken = frames[2].replace(b":", b"", 1)

    assert _hear([*frames[:2], broken, *frames[3:]], spoken).error is not None


def test_the_last_line_needs_no_end() -> None:
    """A complete last value counts."""
    spoken = dialect("ollama")

    assert _hear([b"".join(spoken.stream_frames(ANSWER))[:-1]], spoken).terminal
