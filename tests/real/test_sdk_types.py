"""What we write is what the official SDKs declare: their own pydantic models read every answer of ours."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter

from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.sse import read_event

pytestmark = pytest.mark.real

TOOL = ToolCall("look_up", ('{"city": ', '"Zürich"}'))
ANSWERS = [
    Answer("1", "m", 1_700_000_000, ("Hel", "lo"), Finish.STOP, 3, 2),
    Answer("1", "m", 1_700_000_000, ("Hel",), Finish.LENGTH, 3, 1, include_usage=True),
    Answer("1", "m", 1_700_000_000, ("Let me see.",), Finish.TOOL, 3, 9, TOOL, include_usage=True),
    Answer("1", "m", 1_700_000_000, (), Finish.TOOL, 3, 9, TOOL),
    Answer("1", "m", 1_700_000_000, (), Finish.FILTER),
]


def stream(name: str, answer: Answer) -> list[Any]:
    """The data of all events that are JSON and no ping."""
    events = [read_event(frame) for frame in dialect(name).stream_frames(answer)]
    return [json.loads(event.data or "") for event in events if event.data != "[DONE]" and event.name != "ping"]


def strictly(model: Any, value: Any) -> Any:
    """Validate without coercion, and refuse fields that the model does not declare."""
    read = TypeAdapter(model).validate_json(json.dumps(value), strict=True)

    assert undeclared(read) == []
    return read


def undeclared(value: Any) -> list[str]:
    """Names of fields, at any depth, that an SDK would keep as unknown extras."""
    if isinstance(value, list):
        return [name for item in value for name in undeclared(item)]
    if not isinstance(value, BaseModel):
        return []
    inner = [name for field in type(value).model_fields for name in undeclared(getattr(value, field))]
    return [*(value.model_extra or {}), *inner]


@pytest.mark.parametrize("answer", ANSWERS)
def test_openai_reads_our_chunks(answer: Answer) -> None:
    """Every chunk is a ChatCompletionChunk and the plain body a ChatCompletion."""
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    chunks = [strictly(ChatCompletionChunk, chunk) for chunk in stream("openai.chat", answer)]
    plain = strictly(ChatCompletion, json.loads(dialect("openai.chat").plain_body(answer)))
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]

    assert "".join(delta.content or "" for delta in deltas) == (plain.choices[0].message.content or "") == answer.text
    assert [chunk.usage is not None for chunk in chunks].count(True) == int(answer.include_usage)


@pytest.mark.parametrize("answer", ANSWERS)
def test_openai_reads_our_response_events(answer: Answer) -> None:
    """Every event is a ResponseStreamEvent, numbered in order, and the plain body the Response of the last one."""
    from openai.types.responses import Response, ResponseStreamEvent

    events = [strictly(ResponseStreamEvent, event) for event in stream("openai.responses", answer)]
    plain = strictly(Response, json.loads(dialect("openai.responses").plain_body(answer)))

    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == answer.text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response == plain
    assert plain.output_text == answer.text


@pytest.mark.parametrize("follows", [True, False])
def test_openai_reads_our_response_error(follows: bool) -> None:
    """It has the number that is next."""
    from openai.types.responses import ResponseErrorEvent

    spoken = dialect("openai.responses")
    frame = spoken.stream_frames(ANSWERS[0])[5]
    event = read_event(spoken.error_event(None, None, frame=frame, follows=follows))
    error = strictly(ResponseErrorEvent, json.loads(event.data or ""))

    assert (event.name, error.code, error.sequence_number) == ("error", "server_error", 5 + follows)


@pytest.mark.parametrize("answer", ANSWERS)
def test_gemini_reads_our_chunks(answer: Answer) -> None:
    """Every chunk and the plain body are a GenerateContentResponse, which refuses unknown fields."""
    types = pytest.importorskip("google.genai.types")
    read = types.GenerateContentResponse.model_validate

    chunks = [read(chunk) for chunk in stream("gemini", answer)]
    array = b"".join(dialect("gemini.array").stream_frames(answer))
    plain = read(json.loads(dialect("gemini").plain_body(answer)))
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]

    assert [read(chunk) for chunk in json.loads(array)] == chunks
    assert "".join(part.text or "" for part in parts) == answer.text
    assert [part.function_call.name for part in parts if part.function_call] == ([TOOL.name] if answer.tool else [])
    assert plain.candidates[0].finish_reason == chunks[-1].candidates[0].finish_reason
    assert plain.candidates[0].finish_reason.name in types.FinishReason.__members__
    assert plain.usage_metadata == chunks[-1].usage_metadata


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("name", "model"), [("ollama", "ChatResponse"), ("ollama.generate", "GenerateResponse")])
def test_ollama_reads_our_lines(name: str, model: str, answer: Answer) -> None:
    """Every line and the plain body are a response of its client."""
    read = getattr(pytest.importorskip("ollama"), model).model_validate_json
    lines = [read(frame) for frame in dialect(name).stream_frames(answer)]
    plain = read(dialect(name).plain_body(answer))

    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
    assert (plain.done, plain.done_reason, plain.eval_count) == (True, lines[-1].done_reason, lines[-1].eval_count)
    if name == "ollama":
        assert "".join(line.message.content or "" for line in lines) == answer.text
        assert bool(plain.message.tool_calls) == (answer.tool is not None)


@pytest.mark.parametrize("answer", ANSWERS)
def test_anthropic_reads_our_events(answer: Answer) -> None:
    """Every event but the ping is a RawMessageStreamEvent and the plain body a Message."""
    from anthropic.types import Message, RawMessageStreamEvent

    events = [strictly(RawMessageStreamEvent, event) for event in stream("anthropic.messages", answer)]
    plain = strictly(Message, json.loads(dialect("anthropic.messages").plain_body(answer)))
    deltas = [event.delta for event in events if event.type == "content_block_delta"]

    assert "".join(delta.text for delta in deltas if delta.type == "text_delta") == answer.text
    assert "".join(block.text for block in plain.content if block.type == "text") == answer.text
    assert plain.stop_reason == events[-2].delta.stop_reason


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 507, 529])
def test_sdks_declare_our_errors(status: int) -> None:
    """OpenAI's ErrorObject declares the fields of our error; our Anthropic type is one that SDK or pages name."""
    from anthropic.types.shared.error_type import ErrorType
    from openai.types.shared import ErrorObject

    _, openai_body = dialect("openai.chat").error(status, error_type=None, code=None, message=None)
    _, anthropic_body = dialect("anthropic.messages").error(status, error_type=None, code=None, message=None)
    documented = {*get_args(ErrorType), "request_too_large"}

    assert set(json.loads(openai_body)["error"]) <= set(ErrorObject.model_fields)
    assert json.loads(anthropic_body)["error"]["type"] in documented
