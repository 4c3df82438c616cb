"""What the gateway says in a dialect itself."""

from __future__ import annotations

import json

import pytest

from chaosproxy.events import Kind
from chaosproxy.lab.gateway.speech import AnthropicMessages, OpenAIChat, OpenAIResponses, Speech, invented_end
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import Dialect

OPENAI, ANTHROPIC = dialect("openai.chat"), dialect("anthropic.messages")
RESPONSES = dialect("openai.responses")
every = pytest.mark.parametrize(
    ("spoken", "speech"),
    [(OPENAI, OpenAIChat()), (RESPONSES, OpenAIResponses()), (ANTHROPIC, AnthropicMessages())],
    ids=["openai", "responses", "anthropic"],
)
TOOL = ToolCall("look", ('{"a":', "1}"))


def test_openai_is_asked_for_usage_and_keeps_its_other_options() -> None:
    """Only what must change changes."""
    asked = OpenAIChat().ask_stream(b'{"model":"m","stream":true,"stream_options":{"x":1},"messages":["\\u6771"]}')

    assert json.loads(asked) == {
        "model": "m",
        "stream": True,
        "stream_options": {"x": 1, "include_usage": True},
        "messages": ["東"],
    }


@every
def test_a_plain_answer_is_asked_for(spoken: Dialect, speech: Speech) -> None:
    """Without the options that only streams have."""
    asked = speech.ask_plain(b'{"model":"m","stream":true}')

    assert json.loads(asked) == {"model": "m", "stream": False}
    assert b"stream_options" not in OpenAIChat().ask_plain(b'{"stream":true,"stream_options":{}}')


@every
@pytest.mark.parametrize("tool", [None, TOOL])
@pytest.mark.parametrize("text", [(), ("größer ", "🎉")])
def test_a_wrapped_answer_reads_like_the_plain_one(
    spoken: Dialect, speech: Speech, text: tuple[str, ...], tool: ToolCall | None
) -> None:
    """Same text and arguments, finish reason and counts; exactly one terminal event, and it is the last."""
    answer = Answer("1", "m", 0, text, Finish.TOOL if tool else Finish.LENGTH, 3, 2, tool)
    plain = spoken.plain_body(answer)
    splitter = spoken.splitter()
    meanings = [spoken.read_event(frame) for frame in splitter.feed(speech.as_stream(plain, with_usage=True))]
    kinds = [meaning.kind for meaning in meanings]

    assert splitter.pending == 0
    assert "".join(meaning.text for meaning in meanings) == spoken.read_answer(plain).text
    assert [meaning.finish for meaning in meanings if meaning.finish] == [spoken.read_answer(plain).finish]
    assert [meaning.output_tokens for meaning in meanings if meaning.output_tokens] == [2]
    assert sum(bool(kind & Kind.TERMINAL) for kind in kinds) == 1
    assert kinds[-1] & Kind.TERMINAL


def test_usage_is_wrapped_only_when_asked_for() -> None:
    """As a real stream of OpenAI's."""
    plain = OPENAI.plain_body(Answer("1", "m", 0, ("a",)))

    assert b"usage" not in OpenAIChat().as_stream(plain, with_usage=False)


def test_blocks_that_have_no_deltas_are_kept_whole() -> None:
    """A block of a kind that we do not know passes in its start event."""
    block = {"type": "redacted_thinking", "data": "x"}
    plain = {"id": "msg_1", "type": "message", "content": [block], "stop_reason": "end_turn"}
    events = AnthropicMessages().as_stream(json.dumps(plain).encode(), with_usage=True)

    assert b'"content_block":{"type":"redacted_thinking","data":"x"}' in events


@every
def test_an_invented_end_has_a_reason_and_a_terminal_event(spoken: Dialect, speech: Speech) -> None:
    """And nothing else, so that it fits behind any beginning."""
    kinds = [spoken.read_event(frame).kind for frame in spoken.splitter().feed(invented_end(spoken, "m"))]

    assert len(kinds) <= 2
    assert kinds[0] & Kind.FINISH
    assert kinds[-1] & Kind.TERMINAL
