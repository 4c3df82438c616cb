"""OpenAI responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaosproxy.events import Kind, Meaning
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import RequestFacts
from chaosproxy.wire.dialects.responses import OPENAI_RESPONSES
from chaosproxy.wire.sse import read_event, write_event

USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
ENDED = Kind.TERMINAL | Kind.FINISH


def event(kind: str, **more: Any) -> bytes:
    """An event of that type."""
    return write_event(json.dumps({"type": kind, "sequence_number": 7, **more}), kind)


@pytest.mark.parametrize(
    ("frame", "meaning"),
    [
        (event("response.created", response={"status": "in_progress"}), Meaning(Kind.OPENING)),
        (event("response.in_progress", response={"status": "in_progress"}), Meaning(Kind.OTHER)),
        (event("response.queued"), Meaning(Kind.OTHER)),
        (event("response.output_item.added", item={"type": "message"}), Meaning(Kind.OTHER)),
        (event("response.output_text.delta", delta="hi"), Meaning(Kind.CONTENT, "hi")),
        (event("response.output_text.delta", delta=""), Meaning(Kind.OTHER)),
        (event("response.output_text.delta", delta={}), Meaning(Kind.OTHER)),
        (event("response.refusal.delta", delta="no"), Meaning(Kind.CONTENT, "no")),
        (event("response.reasoning_text.delta", delta="hm"), Meaning(Kind.CONTENT, "hm")),
        (event("response.reasoning_summary_text.delta", delta="hm"), Meaning(Kind.CONTENT, "hm")),
        (event("response.function_call_arguments.delta", delta='{"a'), Meaning(Kind.TOOL, '{"a')),
        (event("response.audio.delta", delta="AAAA"), Meaning(Kind.OTHER)),
        (event("response.output_text.done", text="hi"), Meaning(Kind.OTHER)),
        (
            event("response.completed", response={"status": "completed", "usage": USAGE}),
            Meaning(ENDED | Kind.USAGE, "", "completed", 3, 2),
        ),
        (
            event(
                "response.incomplete",
                response={"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            ),
            Meaning(ENDED, "", "max_output_tokens"),
        ),
        (event("response.incomplete", response={"status": "incomplete"}), Meaning(ENDED, "", "incomplete")),
        (event("response.completed", response={"status": None}), Meaning(Kind.TERMINAL)),
        (event("response.failed", response={"error": {"code": "server_error"}}), Meaning(Kind.ERROR)),
        (event("error", code="server_error", message="m"), Meaning(Kind.ERROR)),
        (write_event(json.dumps({"error": {"message": "m"}})), Meaning(Kind.ERROR)),
        (write_event(json.dumps({"type": "response.output_text.delta", "delta": "hi"})), Meaning(Kind.CONTENT, "hi")),
        (write_event("null"), Meaning(Kind.OTHER)),
        (write_event('{"type":["response.created"],"delta":"x"}'), Meaning(Kind.OTHER)),
    ],
)
def test_events_mean_what_the_client_sees(frame: bytes, meaning: Meaning) -> None:
    """The type in the data decides; a name in ``event:`` is not needed."""
    assert OPENAI_RESPONSES.read_event(frame) == meaning


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        (
            {"model": "m", "input": "hi", "instructions": "be brief", "max_output_tokens": 7, "stream": True},
            RequestFacts("m", stream=True, prompt="be brief\nhi", max_tokens=7),
        ),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image"}]},
                    {"type": "function_call", "arguments": "{}"},
                    {"type": "function_call_output", "output": "42"},
                ],
            },
            RequestFacts(stream=False, prompt="hi\n42"),
        ),
        ({"model": 1, "stream": "yes", "input": {}}, RequestFacts()),
        ([], RequestFacts()),
    ],
)
def test_requests_tell_their_facts(body: Any, facts: RequestFacts) -> None:
    """The input is a text or an array; instructions come first, results of tools count."""
    assert OPENAI_RESPONSES.read_request(json.dumps(body).encode(), "/v1/responses") == facts


def test_a_stream_has_the_documented_order() -> None:
    """Text and a tool are items of their own; all events are numbered and named by their types."""
    answer = Answer("1", "m", 1, ("he", "llo"), Finish.TOOL, 3, 5, ToolCall("f", ("{", "}")))
    events = [read_event(frame) for frame in OPENAI_RESPONSES.stream_frames(answer)]
    payloads = [json.loads(each.data or "") for each in events]

    assert [each.name for each in events] == [payload["type"] for payload in payloads]
    assert [payload["sequence_number"] for payload in payloads] == list(range(len(events)))
    assert [payload["type"].removeprefix("response.") for payload in payloads] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert payloads[-1]["response"] == json.loads(OPENAI_RESPONSES.plain_body(answer))


@pytest.mark.parametrize(
    ("finish", "kind", "reason"),
    [
        (Finish.STOP, "response.completed", None),
        (Finish.LENGTH, "response.incomplete", {"reason": "max_output_tokens"}),
        (Finish.FILTER, "response.incomplete", {"reason": "content_filter"}),
    ],
)
def test_an_answer_that_is_cut_is_incomplete(finish: Finish, kind: str, reason: Any) -> None:
    """It has an event, a status and a reason of its own."""
    last = OPENAI_RESPONSES.stream_frames(Answer("1", "m", 1, ("a",), finish))[-1]
    payload = json.loads(read_event(last).data or "")

    assert (payload["type"], payload["response"]["incomplete_details"]) == (kind, reason)


def test_only_the_status_of_the_response_is_its_finish_reason() -> None:
    """The items in it have a status, too."""
    last = OPENAI_RESPONSES.stream_frames(Answer("1", "m", 1, ("a",)))[-1]
    without = OPENAI_RESPONSES.finish_reason.sub(rb"\1null", last)

    assert without.count(b'"status":"completed"') == last.count(b'"status":"completed"') - 1
    assert json.loads(read_event(without).data or "")["response"]["status"] is None


def test_a_plain_answer_that_failed_is_an_error() -> None:
    """With or without an error in it."""
    assert OPENAI_RESPONSES.read_answer(b'{"status":"failed"}').kind == Kind.ERROR
    assert OPENAI_RESPONSES.read_answer(b'{"error":{"code":"server_error"}}').kind == Kind.ERROR


def test_errors_are_those_of_chat_completions() -> None:
    """One company, one set of words."""
    for status in (400, 401, 404, 429, 500, 503):
        words: dict[str, Any] = {"error_type": None, "code": None, "message": None}

        assert OPENAI_RESPONSES.error(status, **words) == dialect("openai.chat").error(status, **words)


@pytest.mark.parametrize(("follows", "number"), [(True, 8), (False, 7)])
def test_an_error_event_has_the_next_number(follows: bool, number: int) -> None:
    """After an event, or in its place; the first number where nothing is known."""
    frame = event("response.output_text.delta", delta="hi")
    error = read_event(OPENAI_RESPONSES.error_event("rate_limit_exceeded", "slow", frame=frame, follows=follows))

    assert error.name == "error"
    assert json.loads(error.data or "") == {
        "type": "error",
        "code": "rate_limit_exceeded",
        "message": "slow",
        "param": None,
        "sequence_number": number,
    }
    assert b'"sequence_number":0' in OPENAI_RESPONSES.error_event(None, None)
