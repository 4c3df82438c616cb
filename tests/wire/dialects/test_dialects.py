"""The registry, and what every dialect must keep."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.errors import BadValue
from chaosproxy.events import TOKEN, Kind, Meaning
from chaosproxy.wire.dialects import DIALECTS, detect, dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.sse import write_event
from tests.wire.splitting import split

SPOKEN = [known for known in DIALECTS if known.name != "raw"]
EVENT_NAMES = [
    None,
    "ping",
    "error",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
]
KEYS = [
    "type",
    "choices",
    "delta",
    "message",
    "role",
    "content",
    "text",
    "tool_calls",
    "function",
    "function_call",
    "arguments",
    "finish_reason",
    "usage",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "error",
    "stop_reason",
    "partial_json",
    "thinking",
    "input",
    "messages",
    "system",
    "model",
    "stream",
    "stream_options",
    "include_usage",
    "max_tokens",
]
WORDS = ["assistant", "text_delta", "input_json_delta", "tool_use", "[DONE]", *[name for name in EVENT_NAMES if name]]
foreign_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
pieces = st.lists(st.text(min_size=1, max_size=8), max_size=5).map(tuple)
tools = st.builds(
    ToolCall, st.just("look_up"), st.sampled_from([(), ('{"a', '":1}'), ('{"a":', '"é\u2028"}'), ("{}",)])
)
answers = st.builds(
    Answer,
    id=st.just("1"),
    model=st.just("m"),
    created=st.just(1_700_000_000),
    text_pieces=pieces,
    finish=st.sampled_from(Finish),
    prompt_tokens=st.integers(0, 99),
    output_tokens=st.integers(0, 99),
    tool=st.none() | tools,
    include_usage=st.booleans(),
)


def read(known: Dialect, frames: list[bytes]) -> Meaning:
    """What a whole stream says: the kinds, texts and counts of all its frames."""
    whole = Meaning(Kind.OTHER)
    for meaning in map(known.read_event, frames):
        whole = Meaning(
            whole.kind | meaning.kind,
            whole.text + meaning.text,
            meaning.finish or whole.finish,
            whole.prompt_tokens if meaning.prompt_tokens is None else meaning.prompt_tokens,
            whole.output_tokens if meaning.output_tokens is None else meaning.output_tokens,
        )
    return whole


def test_dialects_are_found_by_name() -> None:
    """Names are unique and as the experiment file writes them."""
    assert [known.name for known in DIALECTS] == ["openai.chat", "anthropic.messages", "raw"]
    assert [dialect(known.name) for known in DIALECTS] == list(DIALECTS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("openai.chats", "unknown dialect 'openai.chats', did you mean 'openai.chat'?"),
        ("xyz", "unknown dialect 'xyz', expected one of openai.chat, anthropic.messages, raw"),
    ],
)
def test_unknown_dialect_names_the_nearest(name: str, words: str) -> None:
    """A misspelt name is answered with the right one."""
    with pytest.raises(BadValue) as caught:
        dialect(name)

    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1/chat/completions", "openai.chat"),
        ("POST", "/chat/completions", "openai.chat"),
        ("post", "/v1/chat/completions/", "openai.chat"),
        ("POST", "/openai/deployments/gpt-5/chat/completions?api-version=2024-10-21", "openai.chat"),
        ("POST", "/v1/messages", "anthropic.messages"),
        ("POST", "/anthropic/v1/messages?beta=true", "anthropic.messages"),
        ("POST", "/v1/messages/count_tokens", "raw"),
        ("POST", "/v1/messages/batches", "raw"),
        ("POST", "/v1/threads/thread_1/messages", "raw"),
        ("POST", "/v1/completions", "raw"),
        ("POST", "/v1/xchat/completions", "raw"),
        ("POST", "/search?next=/v1/chat/completions", "raw"),
        ("GET", "/v1/chat/completions", "raw"),
        ("GET", "/v1/models", "raw"),
        ("OPTIONS", "*", "raw"),
    ],
)
def test_path_tells_the_dialect(method: str, path: str, name: str) -> None:
    """Any prefix is fine; other methods, other resources and queries that look alike are not."""
    assert detect(method, path).name == name


@pytest.mark.parametrize("known", DIALECTS, ids=lambda known: known.name)
@given(st.binary())
def test_any_bytes_can_be_read(known: Dialect, data: bytes) -> None:
    """Reading never raises, whatever the bytes."""
    known.read_event(data)
    known.read_event(b"data: " + data + b"\n\n")
    known.read_answer(data)
    known.read_request(data)


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
@given(foreign_json, st.sampled_from(EVENT_NAMES))
def test_any_json_can_be_read(known: Dialect, value: Any, name: str | None) -> None:
    """Reading never raises, whatever the JSON; a frame is a token exactly when it has text."""
    if isinstance(value, dict) and name:
        value = {**value, "type": name}
    body = json.dumps(value)
    meaning = known.read_event(write_event(body, name))
    request = known.read_request(body.encode())

    assert bool(meaning.kind & TOKEN) == bool(meaning.text)
    assert bool(meaning.kind & Kind.FINISH) == bool(meaning.finish)
    assert isinstance(known.read_answer(body.encode()), Meaning)
    assert type(request.max_tokens) in (int, type(None))
    assert type(request.prompt) in (str, type(None))


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
@given(answers)
def test_a_written_stream_is_read_back(known: Dialect, answer: Answer) -> None:
    """The frames of an answer are what the splitter finds, and hold its text, its end and its counts."""
    frames = known.stream_frames(answer)
    whole = read(known, frames)
    arguments = answer.tool.arguments if answer.tool else ""

    assert split(known.splitter, [b"".join(frames)]) == (frames, b"")
    assert whole.text == answer.text + arguments
    assert known.read_event(frames[0]).kind == Kind.OPENING
    assert known.read_event(frames[-1]).kind == Kind.TERMINAL
    assert [bool(known.read_event(frame).kind & Kind.FINISH) for frame in frames].count(True) == 1
    assert bool(whole.kind & Kind.TOOL) == bool(arguments)
    assert not whole.kind & (Kind.ERROR | Kind.RAW)
    if whole.kind & Kind.USAGE:
        assert (whole.prompt_tokens, whole.output_tokens) == (answer.prompt_tokens, answer.output_tokens)


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
@given(answers)
def test_plain_and_streamed_answers_say_the_same(known: Dialect, answer: Answer) -> None:
    """One answer has the same finish and counts in both forms; tool arguments are the same JSON."""
    plain = known.read_answer(known.plain_body(answer))
    streamed = read(known, known.stream_frames(replace(answer, tool=None, include_usage=True)))

    assert plain.text.startswith(streamed.text)
    assert plain.finish == streamed.finish
    assert (plain.prompt_tokens, plain.output_tokens) == (answer.prompt_tokens, answer.output_tokens)
    assert plain.kind & Kind.FINISH
    assert plain.kind & Kind.USAGE
    if answer.tool and (arguments := plain.text.removeprefix(streamed.text)):
        assert json.loads(arguments) == json.loads(answer.tool.arguments)


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 408, 409, 413, 418, 422, 429, 500, 502, 503, 504, 507, 529, 599]
)
@pytest.mark.parametrize("known", DIALECTS, ids=lambda known: known.name)
def test_every_status_has_an_error_of_its_own_dialect(known: Dialect, status: int) -> None:
    """An error is JSON with words in it, read as an error, with no header of ours; what is asked for wins."""
    headers, body = known.error(status, error_type=None, code=None, message=None)
    _, asked = known.error(status, error_type="my_type", code="my_code", message="my words")

    assert headers == (("content-type", "application/json"),)
    assert json.loads(body)["error"]
    assert known.read_answer(body).kind in (Kind.ERROR, Kind.RAW)
    assert b"my words" in asked
    assert b"my_type" in asked or known.name == "raw"


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
def test_an_error_event_is_one_frame(known: Dialect) -> None:
    """The error after a 200 is an event of its own that reads as an error; what is asked for wins."""
    usual = known.error_event(None, None)
    asked = known.error_event("my_type", "my words")

    assert split(known.splitter, [usual, asked]) == ([usual, asked], b"")
    assert known.read_event(usual) == known.read_event(asked) == Meaning(Kind.ERROR)
    assert b"my_type" in asked
    assert b"my words" in asked


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
def test_comments_and_pings_keep_alive(known: Dialect) -> None:
    """A comment or a ping is no answer; what no event stream holds is OTHER."""
    assert known.read_event(b": waiting\n\n").kind == Kind.KEEPALIVE
    assert known.read_event(b"event: ping\ndata: {}\n\n").kind == Kind.KEEPALIVE
    assert known.read_event(b"<html></html>\n\n").kind == Kind.OTHER
    assert known.read_event(b"data:\n\n").kind == Kind.OTHER
    assert known.read_event(b"retry: 3000\n\n").kind == Kind.OTHER
