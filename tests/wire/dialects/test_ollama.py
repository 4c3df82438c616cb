"""Ollama, both endpoints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaosproxy.events import Kind, Meaning
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import RateLimit, RequestFacts
from chaosproxy.wire.dialects.ollama import OLLAMA, OLLAMA_GENERATE

COUNTS = {"prompt_eval_count": 3, "eval_count": 2}
ENDED = Kind.TERMINAL | Kind.FINISH


def said(content: str, **more: Any) -> dict[str, Any]:
    """The message of a line."""
    return {"message": {"role": "assistant", "content": content, **more}}


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ({**said("hi"), "done": False}, Meaning(Kind.CONTENT, "hi")),
        (said("", thinking="hm"), Meaning(Kind.CONTENT, "hm")),
        ({"response": "hi", "done": False}, Meaning(Kind.CONTENT, "hi")),
        ({"response": "", "thinking": "hm", "done": False}, Meaning(Kind.CONTENT, "hm")),
        (said(""), Meaning(Kind.OTHER)),
        (said("", tool_calls=[{"function": {"name": "f", "arguments": {"a": 1}}}]), Meaning(Kind.TOOL, '{"a":1}')),
        (said("", tool_calls=[{"function": {"name": "f"}}]), Meaning(Kind.TOOL, "{}")),
        (
            {**said(""), "done": True, "done_reason": "stop", **COUNTS},
            Meaning(ENDED | Kind.USAGE, "", "stop", 3, 2),
        ),
        (
            {**said("x"), "done": True, "done_reason": "length"},
            Meaning(ENDED | Kind.CONTENT, "x", "length"),
        ),
        ({"done": True, "done_reason": "load"}, Meaning(ENDED, "", "load")),
        ({"done": True, "done_reason": None}, Meaning(Kind.TERMINAL)),
        ({"done": "true"}, Meaning(Kind.OTHER)),
        ({"error": "model runner has stopped"}, Meaning(Kind.ERROR)),
        ([], Meaning(Kind.OTHER)),
    ],
)
def test_lines_mean_what_the_client_sees(line: Any, meaning: Meaning) -> None:
    """Chat has messages, generate a response; with and without the end of the line."""
    data = json.dumps(line).encode()

    assert OLLAMA.read_event(data + b"\n") == OLLAMA.read_event(data) == OLLAMA_GENERATE.read_event(data) == meaning


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (
            {"model": "m", "messages": [{"role": "user", "content": "hi"}], "options": {"num_predict": 7}},
            RequestFacts("m", stream=True, prompt="hi", max_tokens=7),
        ),
        ({"messages": [], "stream": False, "options": {"num_predict": -1}}, RequestFacts(stream=False, prompt="")),
        ({"stream": "yes", "options": 1}, RequestFacts()),
        ([], RequestFacts()),
    ],
)
def test_requests_tell_their_facts(body: Any, facts: RequestFacts) -> None:
    """A request that does not speak of it asks for a stream; a limit below zero is none."""
    assert OLLAMA.read_request(json.dumps(body).encode(), "/api/chat") == facts


def test_generate_has_one_prompt() -> None:
    """With its system prompt before it."""
    body = {"model": "m", "prompt": "hi", "system": "be brief"}

    assert OLLAMA_GENERATE.read_request(json.dumps(body).encode(), "/api/generate").prompt == "be brief\nhi"
    assert OLLAMA_GENERATE.read_request(b'{"model":"m"}', "/api/generate") == RequestFacts("m", stream=True)


def test_tool_arguments_are_an_object_in_one_line() -> None:
    """However many pieces they are made of."""
    answer = Answer("1", "m", 1, ("a",), Finish.TOOL, 3, 5, ToolCall("f", ('{"a"', ":1}")))
    lines = [json.loads(frame) for frame in OLLAMA.stream_frames(answer)]

    assert [line["message"].get("tool_calls") for line in lines] == [
        None,
        [{"function": {"name": "f", "arguments": {"a": 1}}}],
        None,
    ]
    assert [line["done"] for line in lines] == [False, False, True]


@pytest.mark.parametrize(
    ("status", "error_type", "message", "words"),
    [
        (404, None, None, "model not found, try pulling it first"),
        (418, None, None, "i'm a teapot"),
        (599, None, None, "status 599"),
        (500, "my_type", None, "my_type"),
        (500, "my_type", "my words", "my words"),
    ],
)
def test_errors_are_a_text(status: int, error_type: str | None, message: str | None, words: str) -> None:
    """And nothing else: no type, no limits."""
    _, body = OLLAMA.error(status, error_type=error_type, code=None, message=message)

    assert json.loads(body) == {"error": words}
    assert OLLAMA.limit_headers(RateLimit(1, 0, 1, 0, 1.0)) == ()


def test_an_error_after_a_200_is_a_line() -> None:
    """The same as in an answer with a status."""
    assert OLLAMA.error_event(None, "stopped") == b'{"error":"stopped"}\n'
