"""The registry, and what every dialect must keep."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.errors import BadValue
from chaosproxy.events import TOKEN, Kind, Meaning
from chaosproxy.wire.dialects import DIALECTS, detect, dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import Dialect, is_sse, payload
from chaosproxy.wire.dialects.names import ApiName, DialectName
from chaosproxy.wire.sse import write_event
from tests.wire.splitting import split

SPOKEN = [known for known in DIALECTS if known.name != "raw"]
NAMES = (
    "openai.chat",
    "openai.responses",
    "anthropic.messages",
    "gemini",
    "gemini.array",
    "ollama",
    "ollama.generate",
    "raw",
)
OPENS = {"openai.chat", "openai.responses", "anthropic.messages"}
"""Whose streams begin with an event that has no content."""
WHOLE_ARGUMENTS = {"gemini", "gemini.array", "ollama"}
"""Who sends the arguments of a tool as an object, in one frame."""
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
    "response.created",
    "response.output_text.delta",
    "response.function_call_arguments.delta",
    "response.completed",
    "response.incomplete",
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
    "response",
    "status",
    "output",
    "incomplete_details",
    "reason",
    "instructions",
    "candidates",
    "parts",
    "thought",
    "functionCall",
    "args",
    "finishReason",
    "promptFeedback",
    "blockReason",
    "usageMetadata",
    "contents",
    "systemInstruction",
    "generationConfig",
    "maxOutputTokens",
    "done",
    "done_reason",
    "eval_count",
    "options",
    "num_predict",
    "prompt",
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


def framed(known: Dialect, body: str, name: str | None = None) -> bytes:
    """A frame with this payload."""
    if is_sse(known):
        return write_event(body, name)
    return f",\n{body}".encode() if known.name == "gemini.array" else f"{body}\n".encode()


def arguments_of(known: Dialect, answer: Answer) -> str:
    """The arguments as they are read back from a stream."""
    arguments = answer.tool.arguments if answer.tool else ""
    return "{}" if known.name in WHOLE_ARGUMENTS and answer.tool and not arguments else arguments


def only(body: bytes) -> Any:
    """A JSON object, which may be the only element of an array."""
    value = json.loads(body)
    return value[0] if isinstance(value, list) else value


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
    assert tuple(known.name for known in DIALECTS) == NAMES
    assert get_args(DialectName) == ("auto", *NAMES)
    assert get_args(ApiName) == NAMES[:-1]
    assert [dialect(known.name) for known in DIALECTS] == list(DIALECTS)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("openai.chats", "unknown dialect 'openai.chats', did you mean 'openai.chat'?"),
        ("xyz", f"unknown dialect 'xyz', expected one of {', '.join(NAMES)}"),
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
        ("POST", "/v1/responses", "openai.responses"),
        ("POST", "/openai/v1/responses?api-version=preview", "openai.responses"),
        ("POST", "/v1/responses/resp_1", "raw"),
        ("POST", "/v1/responses/resp_1/cancel", "raw"),
        ("GET", "/v1/responses", "raw"),
        ("POST", "/v1beta/models/gemini-3:generateContent", "gemini"),
        ("POST", "/v1beta/models/gemini-3:streamGenerateContent?alt=sse", "gemini"),
        ("POST", "/v1beta/models/gemini-3:streamGenerateContent?key=k&alt=sse", "gemini"),
        ("POST", "/v1beta/models/gemini-3%3AstreamGenerateContent?alt=sse", "gemini"),
        ("POST", "/v1beta/tunedModels/mine:generateContent?alt=json", "gemini"),
        ("POST", "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent?alt=sse", "gemini"),
        ("POST", "/team/v1beta/models/gemini-3:streamGenerateContent", "gemini.array"),
        ("POST", "/v1beta/models/gemini-3:streamGenerateContent?alt=json", "gemini.array"),
        ("POST", "/v1beta/models/gemini-3:countTokens", "raw"),
        ("POST", "/v1beta/models/gemini-3", "raw"),
        ("GET", "/v1beta/models/gemini-3:generateContent", "raw"),
        ("POST", "/api/chat", "ollama"),
        ("POST", "/ollama/api/chat/", "ollama"),
        ("POST", "/api/generate", "ollama.generate"),
        ("POST", "/api/embed", "raw"),
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
    payload(known, data)
    known.read_answer(data)
    known.read_request(data, known.request_path("m", stream=True))


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
@given(foreign_json, st.sampled_from(EVENT_NAMES))
def test_any_json_can_be_read(known: Dialect, value: Any, name: str | None) -> None:
    """Reading never raises, whatever the JSON; a frame is a token exactly when it has text."""
    if isinstance(value, dict) and name:
        value = {**value, "type": name}
    body = json.dumps(value)
    meaning = known.read_event(framed(known, body, name))
    request = known.read_request(body.encode(), known.request_path("m", stream=True))

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
    arguments = arguments_of(known, answer)

    assert split(known.splitter, [b"".join(frames)]) == (frames, b"")
    assert whole.text == answer.text + arguments
    assert (known.read_event(frames[0]).kind == Kind.OPENING) == (known.name in OPENS)
    assert [bool(known.read_event(frame).kind & Kind.TERMINAL) for frame in frames] == [False] * (len(frames) - 1) + [
        True
    ]
    assert [bool(known.read_event(frame).kind & Kind.FINISH) for frame in frames].count(True) == 1
    assert bool(whole.kind & Kind.TOOL) == (bool(arguments) and known.name != "ollama.generate")
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
        assert json.loads(arguments) == json.loads(answer.tool.arguments or "{}")


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 408, 409, 413, 418, 422, 429, 500, 502, 503, 504, 507, 529, 599]
)
@pytest.mark.parametrize("known", DIALECTS, ids=lambda known: known.name)
def test_every_status_has_an_error_of_its_own_dialect(known: Dialect, status: int) -> None:
    """An error is JSON with words in it, read as an error, with no header of ours; what is asked for wins."""
    headers, body = known.error(status, error_type=None, code=None, message=None)
    _, asked = known.error(status, error_type="my_type", code="my_code", message="my words")

    assert headers == (("content-type", "application/json"),)
    assert only(body)["error"]
    assert known.read_answer(body).kind in (Kind.ERROR, Kind.RAW)
    assert b"my words" in asked
    assert b"my_type" in asked or known.name.startswith(("ollama", "raw"))


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
def test_an_error_event_is_one_frame(known: Dialect) -> None:
    """The error after a 200 is an event of its own that reads as an error; what is asked for wins."""
    usual = known.error_event(None, None)
    asked = known.error_event("my_type", "my words")

    array_end = b"\n]" if known.name == "gemini.array" else b""
    assert split(known.splitter, [usual]) == ([usual.removesuffix(array_end), *filter(None, [array_end])], b"")
    assert known.read_event(usual) == known.read_event(asked) == Meaning(Kind.ERROR)
    assert b"my_type" in asked or known.name.startswith("ollama")
    assert b"my_type" in known.error_event("my_type", None)
    assert b"my words" in asked


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
def test_comments_and_pings_keep_alive(known: Dialect) -> None:
    """A comment or a ping is no answer; what no event stream holds is OTHER. Only server-sent events have them."""
    assert known.read_event(b"<html></html>\n\n").kind == Kind.OTHER
    if not is_sse(known):
        return
    assert known.read_event(b": waiting\n\n").kind == Kind.KEEPALIVE
    assert known.read_event(b"event: ping\ndata: {}\n\n").kind == Kind.KEEPALIVE
    assert known.read_event(b"data:\n\n").kind == Kind.OTHER
    assert known.read_event(b"retry: 3000\n\n").kind == Kind.OTHER


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
@given(answers)
def test_each_frame_has_a_payload_and_its_finish_can_be_found(known: Dialect, answer: Answer) -> None:
    """Payloads are JSON objects (or marks of an end); without its reason a frame has no finish, and is still JSON."""
    for frame in known.stream_frames(answer):
        whole = payload(known, frame)
        finished = bool(known.read_event(frame).kind & Kind.FINISH)
        without = known.finish_reason.sub(rb"\1null", frame)

        assert whole in (None, "[DONE]") or isinstance(json.loads(whole or ""), dict)
        assert not finished or (without != frame and known.read_event(without).finish is None)
        assert not finished or isinstance(json.loads(payload(known, without) or ""), dict)


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
@given(answers)
def test_ordinary_content_is_read_quickly(known: Dialect, answer: Answer) -> None:
    """The short way sees every text piece of ours, and never more than the long one."""
    frames = known.stream_frames(replace(answer, tool=None))
    quick = [text for frame in frames if (text := known.content_delta(frame)) is not None]

    assert quick == [piece for piece in answer.text_pieces if piece]
    for frame in frames:
        text = known.content_delta(frame)
        assert text is None or known.read_event(frame) == Meaning(Kind.CONTENT, text)


@pytest.mark.parametrize("known", SPOKEN, ids=lambda known: known.name)
@pytest.mark.parametrize("stream", [True, False])
def test_the_path_of_a_request_is_claimed(known: Dialect, stream: bool) -> None:
    """Where a client sends its request it is found again; plain answers of Gemini have one dialect."""
    found = detect("POST", "/gateway" + known.request_path("a/b c", stream=stream))

    assert found.name == ("gemini" if known.name == "gemini.array" and not stream else known.name)
