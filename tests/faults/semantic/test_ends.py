"""llm.error_event and llm.no_terminal: valid streams with the wrong end."""

from __future__ import annotations

import json
from random import Random

import pytest

from chaosproxy.events import Exchange, Frame, Hit, Kind, Meaning
from chaosproxy.wire.dialects.gemini import GEMINI
from chaosproxy.wire.sse import write_event
from tests.faults.playbook import fault, play

OPENAI = "ask head role a b finish usage done end"
ANTHROPIC = "ask head role a b finish done end"


def test_openai_reports_an_error_after_a_200() -> None:
    """An event with an error object and a clean end, without [DONE]."""
    played = play("llm.error_event where=token:1", OPENAI)

    assert played.client.startswith('ask@0 head@1 role@2 a@3 <data: {"error":{"message":')
    assert played.client.endswith("@3 end@3")
    assert played.said == "error event (the usual type) after token 1"


def test_anthropic_reports_an_error_after_a_200() -> None:
    """A named event with the type that was asked for."""
    played = play(
        "llm.error_event where=before_terminal error_type=rate_limit_error", ANTHROPIC, spoken="anthropic.messages"
    )

    assert '<event: error\ndata: {"type":"error","error":{"type":"rate_limit_error",' in played.client
    assert "done" not in played.client
    assert played.said == "error event (rate_limit_error) before the terminal event"


def test_an_error_never_comes_inside_an_event() -> None:
    """A place in the middle of an event lets it pass first, so that the stream still parses."""
    assert play("llm.error_event where=byte:100", OPENAI).client.startswith("ask@0 head@1 role@2 a@3 <data: {")


@pytest.mark.parametrize(
    ("which", "client", "said"),
    [
        ("done", "role@2 a@3 b@4 finish@5 usage@6 end@8", "the terminal event was left out"),
        (
            "finish",
            'role@2 a@3 b@4 <data: {"choices":[{"index":0,"delta":{},"finish_reason":null}]}>@5 usage@6 done@7 end@8',
            "the finish reason was left out",
        ),
        (
            "both",
            'role@2 a@3 b@4 <data: {"choices":[{"index":0,"delta":{},"finish_reason":null}]}>@5 usage@6 end@8',
            "the finish reason was left out, and the terminal event",
        ),
    ],
)
def test_the_marks_of_an_end_are_missing(which: str, client: str, said: str) -> None:
    """The text and the token counts are whole."""
    played = play(f"llm.no_terminal which={which}", OPENAI)

    assert (played.client, played.said) == (f"ask@0 head@1 {client}", said)


def test_the_finish_reason_of_anthropic_is_null_and_its_counts_stay() -> None:
    """Only the declared field changes."""
    played = play("llm.no_terminal which=both", ANTHROPIC, spoken="anthropic.messages")

    assert '"delta":{"stop_reason":null},"usage":{"output_tokens":2}' in played.client
    assert "done" not in played.client


def test_a_text_that_quotes_a_finish_reason_stays() -> None:
    """In JSON its quotes are escaped, so it is no field."""
    quoted = '\\"finish_reason\\":\\"stop\\"'

    assert quoted in play("llm.no_terminal which=finish", f"ask head {quoted} finish done end").client


def test_a_mark_that_never_comes_is_a_miss() -> None:
    """The upstream broke off before it."""
    assert play("llm.no_terminal", "ask head role a fin").said == "not hit: the answer had no such mark of its end"


def test_only_anthropic_has_a_stop_event() -> None:
    """Elsewhere the fault says which setting is meant."""
    stop_event = fault("llm.no_terminal which=stop_event")
    openai = Exchange("x", "l", 1, "POST", "/", "openai.chat", stream=True)

    assert stop_event.lacks(openai) == "openai.chat has no stop event (which=done leaves out its terminal event)"
    assert "done" not in play(stop_event, ANTHROPIC, spoken="anthropic.messages").client


@pytest.mark.parametrize("which", ["done", "finish", "both"])
def test_an_end_that_comes_with_the_last_words_leaves_them(which: str) -> None:
    """Gemini's last chunk may have text: only its reason goes."""
    chunk = {"candidates": [{"content": {"parts": [{"text": "last"}]}, "finishReason": "STOP"}]}
    frame = Frame(1.0, data := write_event(json.dumps(chunk)), GEMINI.read_event(data))
    exchange = Exchange("x", "l", 1, "POST", "/", "gemini", stream=True)
    hit, left = fault(f"llm.no_terminal which={which}").stage(Random(1), exchange).feed(frame)

    assert hit == Hit(1.0, "the finish reason was left out" + (", and the terminal event" if which == "both" else ""))
    assert isinstance(left, Frame)
    assert left.meaning == Meaning(Kind.CONTENT, "last")
