"""From a request to the answer of the lab's backend."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaosproxy.events import TOKEN
from chaosproxy.lab import reply
from chaosproxy.lab.reply import Asked, Refused, by_token
from chaosproxy.lab.text import expected_answer
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Finish
from chaosproxy.wire.dialects.base import Dialect

OPENAI = dialect("openai.chat")
ANTHROPIC = dialect("anthropic.messages")
PROMPT = "Tell me about tides."


def _asked(spoken: Dialect, body: bytes) -> Asked:
    return reply.read_asked(spoken, body, spoken.request_path("m", stream=True))


def _body(**fields: Any) -> bytes:
    request = {"model": "m", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 64, **fields}
    return json.dumps({key: value for key, value in request.items() if value is not None}).encode()


def _openai_tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {}}}


@pytest.mark.parametrize(
    ("spoken", "body", "words"),
    [
        (OPENAI, b"{", "JSON"),
        (OPENAI, b"[]", "JSON object"),
        (OPENAI, _body(model=None), "model"),
        (OPENAI, _body(messages=[]), "messages"),
        (OPENAI, _body(messages="hi"), "messages"),
        (OPENAI, _body(stream="yes"), "stream"),
        (OPENAI, _body(max_tokens=0), "max_tokens"),
        (ANTHROPIC, _body(max_tokens=None), "max_tokens"),
    ],
)
def test_bad_request_is_refused(spoken: Dialect, body: bytes, words: str) -> None:
    """What a provider answers with 400 is refused, and the reason names the field."""
    with pytest.raises(Refused, match=words) as refused:
        _asked(spoken, body)

    assert refused.value.status == 400


def test_max_tokens_cuts_the_answer() -> None:
    """The smaller of the two lengths counts, and the finish reason says which it was."""
    cut = _asked(OPENAI, _body(max_tokens=5)).answer(40)
    whole = _asked(OPENAI, _body(max_tokens=None)).answer(40)

    assert (cut.text_pieces, cut.finish, cut.output_tokens) == (tuple(expected_answer(PROMPT, 5)), Finish.LENGTH, 5)
    assert (whole.text_pieces, whole.finish) == (tuple(expected_answer(PROMPT, 40)), Finish.STOP)


def test_short_answer_ends_by_itself() -> None:
    """An answer that is shorter than every limit ends with stop."""
    asked = _asked(OPENAI, _body(messages=[{"role": "user", "content": "Capital of France? One word."}]))

    assert (asked.answer(40).text, asked.answer(40).finish, asked.answer(40).output_tokens) == ("Paris", Finish.STOP, 1)


@pytest.mark.parametrize(
    ("spoken", "fields", "tool"),
    [
        (OPENAI, {"tool_choice": "required"}, "first"),
        (OPENAI, {"tool_choice": {"type": "function", "function": {"name": "second"}}}, "second"),
        (OPENAI, {"tool_choice": "none"}, None),
        (OPENAI, {}, None),
        (OPENAI, {"messages": [{"role": "user", "content": "use second please"}]}, "second"),
        (OPENAI, {"messages": [{"role": "user", "content": "use second"}, {"role": "tool", "content": "42"}]}, None),
        (OPENAI, {"tools": [], "tool_choice": "required"}, None),
        (ANTHROPIC, {"tool_choice": {"type": "any"}}, "first"),
        (ANTHROPIC, {"tool_choice": {"type": "tool", "name": "second"}}, "second"),
        (ANTHROPIC, {"tool_choice": {"type": "auto"}}, None),
        (
            ANTHROPIC,
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "use second"}]}]},
            None,
        ),
    ],
)
def test_tool_is_called_when_asked_for(spoken: Dialect, fields: dict[str, Any], tool: str | None) -> None:
    """A tool is called when it is forced or when the prompt names it, and not again after its result."""
    tools = (
        [_openai_tool("first"), _openai_tool("second")] if spoken is OPENAI else [{"name": "first"}, {"name": "second"}]
    )
    answer = _asked(spoken, _body(**{"tools": tools, **fields})).answer(10)

    assert (answer.tool.name if answer.tool else None) == tool
    assert (answer.finish is Finish.TOOL) == (tool is not None)
    assert (answer.text == "") == (tool is not None)


@pytest.mark.parametrize("spoken", [OPENAI, ANTHROPIC], ids=lambda spoken: str(spoken.name))
@pytest.mark.parametrize("tools", [None, "required"])
def test_each_moment_has_one_token(spoken: Dialect, tools: str | None) -> None:
    """The frames are grouped so that every group has exactly one token, and none is lost."""
    choice = {"type": "any"} if spoken is ANTHROPIC else tools
    offered = [{"name": "look"} if spoken is ANTHROPIC else _openai_tool("look")]
    answer = _asked(spoken, _body(**({"tools": offered, "tool_choice": choice} if tools else {}))).answer(9)

    groups = list(by_token(spoken, answer))

    assert [sum(bool(spoken.read_event(frame).kind & TOKEN) for frame in group) for group in groups] == [1] * 9
    assert [frame for group in groups for frame in group] == spoken.stream_frames(answer)


def test_prompt_tokens_are_a_quarter_of_the_characters() -> None:
    """The estimate is the one that quotas use, and never zero."""
    assert _asked(OPENAI, _body(messages=[{"role": "user", "content": "x" * 40}])).answer(1).prompt_tokens == 10
    assert _asked(OPENAI, _body(messages=[{"role": "user", "content": "x"}])).answer(1).prompt_tokens == 1
