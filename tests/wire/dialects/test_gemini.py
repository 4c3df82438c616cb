"""Gemini, as server-sent events and as an array."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaosproxy.events import Kind, Meaning
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import RateLimit, RequestFacts
from chaosproxy.wire.dialects.gemini import GEMINI, GEMINI_ARRAY
from chaosproxy.wire.sse import write_event

USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
ENDED = Kind.TERMINAL | Kind.FINISH
STREAM = "/v1beta/models/gemini-3:streamGenerateContent?alt=sse"


def chunk(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk with one candidate."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})], **more}


@pytest.mark.parametrize(
    ("payload", "meaning"),
    [
        (chunk({"text": "hi"}), Meaning(Kind.CONTENT, "hi")),
        (chunk({"text": "hi"}, usageMetadata=USAGE), Meaning(Kind.CONTENT, "hi")),
        (chunk({"text": "hm", "thought": True}, {"text": "hi"}), Meaning(Kind.CONTENT, "hmhi")),
        (chunk({"text": ""}), Meaning(Kind.OTHER)),
        (chunk({"functionCall": {"name": "f", "args": {"a": 1}}}), Meaning(Kind.TOOL, '{"a":1}')),
        (chunk({"functionCall": {"name": "f"}}), Meaning(Kind.TOOL, "{}")),
        (
            chunk({"text": "x"}, finish="MAX_TOKENS", usageMetadata=USAGE),
            Meaning(ENDED | Kind.CONTENT | Kind.USAGE, "x", "MAX_TOKENS", 3, 2),
        ),
        ({"candidates": [{"finishReason": "SAFETY", "index": 0}]}, Meaning(ENDED, "", "SAFETY")),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, Meaning(ENDED, "", "SAFETY")),
        ({"candidates": None, "usageMetadata": USAGE}, Meaning(Kind.OTHER)),
        ({"error": {"code": 503, "status": "UNAVAILABLE"}}, Meaning(Kind.ERROR)),
        (None, Meaning(Kind.OTHER)),
    ],
)
def test_chunks_mean_what_the_client_sees(payload: Any, meaning: Meaning) -> None:
    """The chunk with the finish reason ends the events; in an array the bracket does."""
    body = json.dumps(payload)
    element = Meaning(meaning.kind & ~Kind.TERMINAL, *[getattr(meaning, name) for name in ("text", "finish")])

    assert GEMINI.read_event(write_event(body)) == meaning
    assert GEMINI_ARRAY.read_event(f"\n,\n{body}".encode()).kind == element.kind
    assert GEMINI_ARRAY.read_answer(f"[{body}]".encode()).text == element.text


def test_the_bracket_ends_an_array() -> None:
    """Also an empty one; what opens it does not."""
    assert GEMINI_ARRAY.read_event(b"\n]") == GEMINI_ARRAY.read_event(b"[]") == Meaning(Kind.TERMINAL)
    assert GEMINI_ARRAY.read_event(b"[") == Meaning(Kind.OTHER)


@pytest.mark.parametrize(
    ("path", "body", "facts"),
    [
        (
            STREAM,
            {
                "systemInstruction": {"parts": [{"text": "be brief"}]},
                "contents": [{"role": "user", "parts": [{"text": "hi"}, {"inlineData": {}}]}],
                "generationConfig": {"maxOutputTokens": 7},
            },
            RequestFacts("gemini-3", stream=True, prompt="be brief\nhi", max_tokens=7),
        ),
        (
            "/v1/projects/p/locations/l/publishers/google/models/gemini-3:generateContent",
            {"contents": {"parts": {"text": "hi"}}, "generation_config": {"max_output_tokens": 7}},
            RequestFacts("gemini-3", stream=False, prompt="hi", max_tokens=7),
        ),
        ("/v1beta/models/a%2Fb:generateContent", {}, RequestFacts("a/b", stream=False)),
        ("/v1beta/models/gemini-3:generateContent", [], RequestFacts("gemini-3", stream=False)),
        ("/elsewhere", {"contents": []}, RequestFacts(prompt="")),
    ],
)
def test_requests_tell_their_facts(path: str, body: Any, facts: RequestFacts) -> None:
    """Model and stream stand in the path, the rest in the body."""
    assert GEMINI.read_request(json.dumps(body).encode(), path) == facts


def test_an_array_is_one_json_value() -> None:
    """The frames of a stream, joined; with an error in the place of any of them, or after it."""
    answer = Answer("1", "m", 1, ("he", "llo"), Finish.TOOL, 3, 2, ToolCall("f", ('{"a":1}',)))
    frames = GEMINI_ARRAY.stream_frames(answer)

    assert len(json.loads(b"".join(frames))) == len(frames) - 1
    for number, frame in enumerate(frames[:-1]):
        instead = GEMINI_ARRAY.error_event(None, None, frame=frame, follows=False)
        after = GEMINI_ARRAY.error_event(None, None, frame=frame, follows=True)

        assert len(json.loads(b"".join(frames[:number]) + instead)) == number + 1
        assert len(json.loads(b"".join(frames[: number + 1]) + after)) == number + 2


@pytest.mark.parametrize(
    ("status", "error_type", "expected"),
    [
        (400, None, "INVALID_ARGUMENT"),
        (401, None, "UNAUTHENTICATED"),
        (403, None, "PERMISSION_DENIED"),
        (404, None, "NOT_FOUND"),
        (409, None, "ABORTED"),
        (429, None, "RESOURCE_EXHAUSTED"),
        (500, None, "INTERNAL"),
        (503, None, "UNAVAILABLE"),
        (504, None, "DEADLINE_EXCEEDED"),
        (418, None, "INVALID_ARGUMENT"),
        (599, None, "INTERNAL"),
        (400, "FAILED_PRECONDITION", "FAILED_PRECONDITION"),
    ],
)
def test_errors_have_googles_codes(status: int, error_type: str | None, expected: str) -> None:
    """The number is that of HTTP, the status a word of google.rpc.Code; an array has the same as its only element."""
    words: dict[str, Any] = {"error_type": error_type, "code": None, "message": None}
    _, body = GEMINI.error(status, **words)
    error = json.loads(body)["error"]

    assert (error["code"], error["status"]) == (status, expected)
    assert GEMINI_ARRAY.error(status, **words)[1] == b"[" + body + b"]"


@pytest.mark.parametrize(("retry_s", "delay"), [(None, "22s"), (5, "5s"), (0.5, "0.5s"), (3600, "3600s")])
def test_a_429_tells_in_its_body_when_to_come_back(retry_s: float | None, delay: str) -> None:
    """As google.rpc.RetryInfo, whose duration is written in seconds; there are no header fields for it."""
    _, body = GEMINI.error(429, error_type=None, code=None, message=None, retry_s=retry_s)

    assert json.loads(body)["error"]["details"] == [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    ]
    assert GEMINI.limit_headers(RateLimit(1, 0, 1, 0, 1.0)) == ()
