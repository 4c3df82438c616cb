"""Anthropic messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaosproxy.events import Kind, Meaning
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.anthropic import ANTHROPIC_MESSAGES
from chaosproxy.wire.dialects.base import RateLimit, RequestFacts
from chaosproxy.wire.sse import read_event, write_event


def delta(kind: str, **value: Any) -> dict[str, Any]:
    """A content_block_delta."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **value}}


def ending(stop_reason: str | None, **usage: int) -> dict[str, Any]:
    """A message_delta."""
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": None}, "usage": usage}


@pytest.mark.parametrize(
    ("payload", "meaning"),
    [
        (
            {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}},
            Meaning(Kind.OPENING, prompt_tokens=3),
        ),
        ({"type": "message_start"}, Meaning(Kind.OPENING)),
        (
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            Meaning(Kind.OTHER),
        ),
        ({"type": "content_block_stop", "index": 0}, Meaning(Kind.OTHER)),
        (delta("text_delta", text="hi"), Meaning(Kind.CONTENT, "hi")),
        (delta("thinking_delta", thinking="hm"), Meaning(Kind.CONTENT, "hm")),
        (delta("input_json_delta", partial_json='{"a'), Meaning(Kind.TOOL, '{"a')),
        (delta("input_json_delta", partial_json=""), Meaning(Kind.OTHER)),
        (delta("signature_delta", signature="s"), Meaning(Kind.OTHER)),
        (delta("text_delta", text=None), Meaning(Kind.OTHER)),
        ({"type": "content_block_delta", "delta": "x"}, Meaning(Kind.OTHER)),
        (ending("end_turn", output_tokens=2), Meaning(Kind.FINISH | Kind.USAGE, "", "end_turn", None, 2)),
        (ending(None, input_tokens=3, output_tokens=2), Meaning(Kind.USAGE, "", None, 3, 2)),
        (ending("max_tokens"), Meaning(Kind.FINISH, "", "max_tokens")),
        ({"type": "message_stop"}, Meaning(Kind.TERMINAL)),
        ({"type": "ping"}, Meaning(Kind.KEEPALIVE)),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Meaning(Kind.ERROR)),
        ({"type": "something_new"}, Meaning(Kind.OTHER)),
    ],
)
def test_events_mean_what_the_client_sees(payload: dict[str, Any], meaning: Meaning) -> None:
    """Each event gets exactly the kinds that it carries."""
    assert ANTHROPIC_MESSAGES.read_event(write_event(json.dumps(payload), payload["type"])) == meaning


@pytest.mark.parametrize("name", [None, "message_stop", "other"])
def test_event_without_its_own_name_means_nothing(name: str | None) -> None:
    """A stream whose names were stripped or swapped is as empty to us as to the official client."""
    frame = write_event(json.dumps(delta("text_delta", text="hi")), name)

    assert ANTHROPIC_MESSAGES.read_event(frame) == Meaning(Kind.OTHER)


def test_error_event_needs_no_readable_data() -> None:
    """The name alone makes it an error."""
    assert ANTHROPIC_MESSAGES.read_event(b"event: error\ndata: oops\n\n") == Meaning(Kind.ERROR)


def test_request_tells_its_facts() -> None:
    """The system's text comes first, and the results of tools are text too."""
    body = {
        "model": "m",
        "stream": False,
        "max_tokens": 7,
        "system": [{"type": "text", "text": "be brief"}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "user", "content": [{"type": "tool_result", "content": "42"}, {"type": "text", "text": "so"}]},
            {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "43"}]}]},
        ],
    }

    assert ANTHROPIC_MESSAGES.read_request(json.dumps(body).encode(), "/") == RequestFacts(
        "m", stream=False, prompt="be brief\nhi\n42\nso\n43", max_tokens=7
    )


def test_plain_answer_is_read_in_the_order_of_its_blocks() -> None:
    """Thinking, text and tool arguments are joined."""
    body = {
        "content": [
            {"type": "thinking", "thinking": "hm "},
            {"type": "text", "text": "hello "},
            {"type": "tool_use", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }

    assert ANTHROPIC_MESSAGES.read_answer(json.dumps(body).encode()) == Meaning(
        Kind.CONTENT | Kind.TOOL | Kind.FINISH | Kind.USAGE, 'hm hello {"a":1}', "tool_use", 3, 2
    )


def test_stream_has_the_order_of_the_documentation() -> None:
    """Start, the text's block with a ping, the tool's block, the end; each event named by its type."""
    answer = Answer("1", "m", 1, ("a", "b"), Finish.TOOL, tool=ToolCall("f", ("{}",)))
    events = [read_event(frame) for frame in ANTHROPIC_MESSAGES.stream_frames(answer)]

    assert [event.name for event in events] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [json.loads(event.data or "")["type"] for event in events] == [event.name for event in events]
    assert [index for event in events if (index := json.loads(event.data or "").get("index")) is not None] == [
        *[0] * 4,
        *[1] * 3,
    ]


def test_tool_arguments_that_are_no_object_become_an_empty_one() -> None:
    """A plain answer stays valid when the arguments are cut."""
    body = json.loads(ANTHROPIC_MESSAGES.plain_body(Answer("1", "m", 1, tool=ToolCall("f", ('{"a',)))))

    assert [block["input"] for block in body["content"]] == [{}]


@pytest.mark.parametrize(
    ("status", "error_type", "expected", "message"),
    [
        (400, None, "invalid_request_error", None),
        (401, None, "authentication_error", None),
        (402, None, "billing_error", None),
        (403, None, "permission_error", None),
        (404, None, "not_found_error", None),
        (409, None, "conflict_error", None),
        (413, None, "request_too_large", None),
        (418, None, "invalid_request_error", None),
        (429, None, "rate_limit_error", None),
        (500, None, "api_error", "Internal server error"),
        (504, None, "timeout_error", None),
        (529, None, "overloaded_error", "Overloaded"),
        (503, "overloaded_error", "overloaded_error", "Overloaded"),
        (599, None, "api_error", "Internal server error"),
    ],
)
def test_errors_use_anthropic_types(status: int, error_type: str | None, expected: str, message: str | None) -> None:
    """The type is that of the status or the one asked for, and the message follows it; a code has no place."""
    _, body = ANTHROPIC_MESSAGES.error(status, error_type=error_type, code="c", message=None)
    error = json.loads(body)

    assert list(error) == ["type", "error"]
    assert error["type"] == "error"
    assert list(error["error"]) == ["type", "message"]
    assert error["error"]["type"] == expected
    assert message in (None, error["error"]["message"])


def test_error_event_is_overloaded_by_default() -> None:
    """What is a 529 before the stream is this event inside it."""
    assert ANTHROPIC_MESSAGES.error_event(None, None) == (
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    )


def test_limits_are_told_with_moments() -> None:
    """A reset is a moment in RFC 3339, so it needs the wall time; without it the field is absent."""
    limits = ANTHROPIC_MESSAGES.limit_headers(RateLimit(50, 0, 40_000, 39_000, 30.0, now_unix_s=1_700_000_000.0))

    assert dict(limits) == {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50Z",
        "anthropic-ratelimit-tokens-limit": "40000",
        "anthropic-ratelimit-tokens-remaining": "39000",
        "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:50Z",
    }
    assert len(ANTHROPIC_MESSAGES.limit_headers(RateLimit(50, 0, 40_000, 39_000, 30.0))) == 4
