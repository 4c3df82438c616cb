"""Our own readers, strictly: each defect of an answer is told."""

from __future__ import annotations

import pytest

from chaosproxy.lab.verify.asking import Reply
from chaosproxy.lab.verify.reading import error_flaws, plain_flaws, stream_flaws
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall

CHAT = dialect("openai.chat")
ANSWER = Answer("1", "m", 1, ("Hel", "lo"), Finish.STOP, 3, 2, include_usage=True)
CALL = Answer("1", "m", 1, (), Finish.TOOL, 3, 2, ToolCall("look_up", ('{"a": ', "1}")), include_usage=True)
WHOLE = b"".join(CHAT.stream_frames(ANSWER))
PLAIN = CHAT.plain_body(ANSWER)


@pytest.mark.parametrize("answer", [ANSWER, CALL], ids=["text", "tool"])
def test_a_right_answer_has_no_flaw(answer: Answer) -> None:
    """Plain and streamed; arguments are compared as JSON."""
    body = b"".join(CHAT.stream_frames(answer))

    assert list(stream_flaws(CHAT, Reply(200, "text/event-stream", body), answer)) == []
    assert list(plain_flaws(CHAT, Reply(200, "application/json", CHAT.plain_body(answer)), answer)) == []


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        (WHOLE.replace(b"data: [DONE]\n\n", b""), "no terminal event"),
        (WHOLE + WHOLE, "2 terminal events, or not the last of all"),
        (WHOLE.replace(b"Hel", b"Hal"), "the text is 'Hallo', expected 'Hello'"),
        (WHOLE.replace(b'"finish_reason":"stop"', b'"finish_reason":null'), "no finish reason"),
        (WHOLE.replace(b'"completion_tokens":2', b'"completion_tokens":3'), "3 output tokens, expected 2"),
        (WHOLE.replace(b'"created":1', b'"created":NaN', 1), "not JSON: NaN is no JSON"),
        (b"data: 5\n\n" + WHOLE, "not a JSON object: 5"),
        (b'data: {"error":{"message":"x"}}\n\n' + WHOLE, "an error instead of an answer"),
    ],
)
def test_the_flaws_of_a_stream(body: bytes, flaw: str) -> None:
    """Each alone."""
    assert flaw in list(stream_flaws(CHAT, Reply(200, "text/event-stream; charset=utf-8", body), ANSWER))


def test_the_flaws_of_a_plain_answer() -> None:
    """Status and media type first."""
    flaws = list(plain_flaws(CHAT, Reply(500, "text/html", b"<html>"), ANSWER))

    assert flaws[:2] == ["status 500", "content-type 'text/html', expected 'application/json'"]
    assert any(flaw.startswith("not JSON") for flaw in flaws)


def test_the_flaws_of_an_error() -> None:
    """Another status, and a body that tells none."""
    assert list(error_flaws(CHAT, Reply(200, "application/json", PLAIN), 429)) == [
        "status 200, expected 429",
        "status 429: the body tells no error",
    ]


def test_arguments_of_a_tool_that_are_cut() -> None:
    """They are no JSON."""
    cut = Answer("1", "m", 1, (), Finish.TOOL, 3, 2, ToolCall("look_up", ('{"a": ',)), include_usage=True)
    flaws = list(plain_flaws(CHAT, Reply(200, "application/json", CHAT.plain_body(cut)), CALL))

    assert flaws == ["""the tool's arguments are '{"a": ', expected '{"a": 1}'"""]
