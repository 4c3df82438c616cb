"""OpenAI chat completions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaosproxy.events import Kind, Meaning
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import RateLimit, RequestFacts
from chaosproxy.wire.dialects.openai_chat import OPENAI_CHAT
from chaosproxy.wire.dialects.openai_errors import go_duration
from chaosproxy.wire.sse import read_event

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk with one choice."""
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


def tool(**function: Any) -> dict[str, Any]:
    """The delta of a tool call."""
    return {"tool_calls": [{"index": 0, "function": function}]}


@pytest.mark.parametrize(
    ("payload", "meaning"),
    [
        (chunk({"role": "assistant", "content": ""}), Meaning(Kind.OPENING)),
        (chunk({"role": "assistant"}, usage=None), Meaning(Kind.OPENING)),
        (chunk({"role": "assistant", "content": ""}, usage=USAGE), Meaning(Kind.OPENING | Kind.USAGE, "", None, 3, 2)),
        (chunk({"role": "assistant", "content": "hi"}), Meaning(Kind.CONTENT, "hi")),
        (chunk({"content": "hi"}, usage=None), Meaning(Kind.CONTENT, "hi")),
        (chunk({"content": None, "reasoning_content": "hm"}), Meaning(Kind.CONTENT, "hm")),
        (chunk({"reasoning": "hm", "reasoning_content": "hm"}), Meaning(Kind.CONTENT, "hm")),
        (chunk({"refusal": "no"}), Meaning(Kind.CONTENT, "no")),
        (chunk({"content": ""}), Meaning(Kind.OTHER)),
        (chunk({"role": "assistant", **tool(name="f", arguments="")}), Meaning(Kind.OPENING)),
        (chunk(tool(name="f", arguments="")), Meaning(Kind.OTHER)),
        (chunk(tool(arguments='{"a')), Meaning(Kind.TOOL, '{"a')),
        (chunk({"function_call": {"arguments": "{}"}}), Meaning(Kind.TOOL, "{}")),
        (chunk({}, "stop"), Meaning(Kind.FINISH, "", "stop")),
        (chunk({"role": "assistant", "content": ""}, "stop"), Meaning(Kind.FINISH, "", "stop")),
        (
            chunk({"content": "x"}, "length", usage=USAGE),
            Meaning(Kind.CONTENT | Kind.FINISH | Kind.USAGE, "x", "length", 3, 2),
        ),
        (chunk({}, ""), Meaning(Kind.OTHER)),
        ({"choices": [], "usage": USAGE}, Meaning(Kind.USAGE, "", None, 3, 2)),
        ({"choices": [], "usage": {"prompt_tokens": "3"}}, Meaning(Kind.USAGE)),
        ({"choices": [], "prompt_filter_results": []}, Meaning(Kind.OTHER)),
        ({"choices": None}, Meaning(Kind.OTHER)),
        (chunk(None), Meaning(Kind.OTHER)),
        ({"error": {"message": "m"}}, Meaning(Kind.ERROR)),
        ({"error": "m"}, Meaning(Kind.ERROR)),
        (chunk({"content": "x"}, error=None), Meaning(Kind.CONTENT, "x")),
        ({"object": "error", "message": "m"}, Meaning(Kind.OTHER)),
        (None, Meaning(Kind.OTHER)),
        ([1], Meaning(Kind.OTHER)),
    ],
)
def test_chunks_mean_what_the_client_sees(payload: Any, meaning: Meaning) -> None:
    """Each chunk gets exactly the kinds that it carries."""
    assert OPENAI_CHAT.read_event(f"data: {json.dumps(payload)}\n\n".encode()) == meaning


def test_several_choices_are_read_together() -> None:
    """With n > 1 the texts of all choices count."""
    payload = {"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}, "finish_reason": "stop"}]}

    assert OPENAI_CHAT.read_event(f"data: {json.dumps(payload)}\n\n".encode()) == Meaning(
        Kind.CONTENT | Kind.FINISH, "ab", "stop"
    )


@pytest.mark.parametrize("frame", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data: [DONE] \n\n"])
def test_done_is_terminal(frame: bytes) -> None:
    """Data that begins with [DONE] ends the stream, as the official client sees it."""
    assert OPENAI_CHAT.read_event(frame) == Meaning(Kind.TERMINAL)


@pytest.mark.parametrize(
    ("request_body", "facts"),
    [
        (
            {
                "model": "m",
                "stream": True,
                "messages": [
                    {"role": "system", "content": "be brief"},
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {}}],
                    },
                    {"role": "assistant", "content": None},
                ],
                "max_tokens": 5,
                "max_completion_tokens": 7,
                "stream_options": {"include_usage": True},
            },
            RequestFacts("m", stream=True, prompt="be brief\nhi", max_tokens=7, asks_usage=True),
        ),
        ({"max_tokens": 5, "messages": []}, RequestFacts(stream=False, prompt="", max_tokens=5)),
        ({"model": 1, "stream": "yes", "messages": {}, "max_tokens": True}, RequestFacts()),
        ([], RequestFacts()),
    ],
)
def test_requests_tell_their_facts(request_body: Any, facts: RequestFacts) -> None:
    """Model, stream (not asked for: false), prompt, limit and the wish for usage; None for what cannot be read."""
    assert OPENAI_CHAT.read_request(json.dumps(request_body).encode(), "/") == facts


def test_plain_answer_joins_text_and_tool_arguments() -> None:
    """The text of a plain answer ends with the arguments of its tool calls."""
    answer = Answer("1", "m", 1, ("he", "llo "), Finish.TOOL, 3, 2, ToolCall("f", ('{"a"', ":1}")))

    assert OPENAI_CHAT.read_answer(OPENAI_CHAT.plain_body(answer)) == Meaning(
        Kind.CONTENT | Kind.TOOL | Kind.FINISH | Kind.USAGE, 'hello {"a":1}', "tool_calls", 3, 2
    )


@pytest.mark.parametrize("include_usage", [False, True])
def test_usage_comes_only_when_asked_for(*, include_usage: bool) -> None:
    """With include_usage every chunk has a null usage and one chunk without choices has the counts."""
    frames = OPENAI_CHAT.stream_frames(
        Answer("1", "m", 1, ("a",), prompt_tokens=3, output_tokens=2, include_usage=include_usage)
    )
    chunks = [json.loads(read_event(frame).data or "") for frame in frames[:-1]]

    assert [part.get("usage", "absent") for part in chunks] == (
        [None, None, None, USAGE] if include_usage else ["absent"] * 3
    )
    assert [len(part["choices"]) for part in chunks] == ([1, 1, 1, 0] if include_usage else [1, 1, 1])


@pytest.mark.parametrize(
    ("status", "error_type", "code", "expected"),
    [
        (401, None, None, ("invalid_request_error", "invalid_api_key")),
        (404, None, None, ("invalid_request_error", "model_not_found")),
        (429, None, None, ("requests", "rate_limit_exceeded")),
        (429, "tokens", None, ("tokens", "rate_limit_exceeded")),
        (429, "insufficient_quota", None, ("insufficient_quota", "insufficient_quota")),
        (429, None, "insufficient_quota", ("insufficient_quota", "insufficient_quota")),
        (400, None, "context_length_exceeded", ("invalid_request_error", "context_length_exceeded")),
        (500, None, None, ("server_error", None)),
        (502, None, None, ("cf_bad_gateway", 502)),
        (503, "my_type", None, ("my_type", None)),
        (418, None, None, ("invalid_request_error", None)),
        (599, None, None, ("server_error", None)),
    ],
)
def test_errors_use_openai_types_and_codes(
    status: int, error_type: str | None, code: str | None, expected: tuple[str, str | int | None]
) -> None:
    """Type and code are those of the status, or of the error that is named."""
    _, body = OPENAI_CHAT.error(status, error_type=error_type, code=code, message=None)
    error = json.loads(body)["error"]

    assert list(error) == ["message", "type", "param", "code"]
    assert (error["type"], error["code"]) == expected


def test_quota_error_says_that_waiting_does_not_help() -> None:
    """The message follows the named type, not the status."""
    _, body = OPENAI_CHAT.error(429, error_type="insufficient_quota", code=None, message=None)

    assert "quota" in json.loads(body)["error"]["message"]


def test_limits_are_told_with_go_durations() -> None:
    """Rate-limit fields are those of OpenAI."""
    headers = OPENAI_CHAT.limit_headers(RateLimit(60, 0, 150_000, 149_000, 360.0))

    assert dict(headers) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "149000",
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-reset-tokens": "6m0s",
    }


@pytest.mark.parametrize(
    ("seconds", "duration"),
    [(0, "0s"), (0.02, "20ms"), (1, "1s"), (8.64, "8.64s"), (60, "1m0s"), (3600, "1h0m0s"), (3725.5, "1h2m5.5s")],
)
def test_go_durations(seconds: float, duration: str) -> None:
    """Spans are written as Go's time.Duration prints them."""
    assert go_duration(seconds) == duration
