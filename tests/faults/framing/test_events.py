"""sse.drop and sse.malformed: whole events lost, and one that cannot be read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chaosproxy.events import Exchange, Framing
from chaosproxy.faults.framing.drop import SseDrop
from chaosproxy.faults.framing.malformed import SseMalformed
from tests.faults.playbook import fault, play

UPSTREAM = "ask head role a b c finish usage done end"


@pytest.mark.parametrize(
    ("line", "client", "said"),
    [
        (
            "sse.drop where=token:2",
            "ask@0 head@1 role@2 a@3 c@5 finish@6 usage@7 done@8 end@9",
            "dropped token 2 (content, 78 bytes)",
        ),
        (
            "sse.drop each=2",
            "ask@0 head@1 role@2 b@4 finish@6 usage@7 done@8 end@9",
            "dropped one event in 2, first event 2 (content, 78 bytes)",
        ),
        (
            "sse.drop each=3 offset=1",
            "ask@0 head@1 role@2 a@3 b@4 finish@6 usage@7 done@8 end@9",
            "dropped one event in 3, first event 4 (content, 78 bytes)",
        ),
        (
            "sse.drop each=1 never=terminal",
            "ask@0 head@1 done@8 end@9",
            "dropped one event in 1, first event 1 (opening, 96 bytes)",
        ),
        (
            "sse.drop where=before_terminal never=",
            "ask@0 head@1 role@2 a@3 b@4 c@5 finish@6 usage@7 end@9",
            "dropped the terminal event (terminal, 14 bytes)",
        ),
    ],
)
def test_whole_events_are_lost_and_named(line: str, client: str, said: str) -> None:
    """What was dropped is told by its number and kind, never by its text."""
    played = play(line, UPSTREAM)

    assert (played.client, played.said) == (client, said)


def test_a_protected_event_is_a_miss() -> None:
    """The terminal event, usage and the finish reason are kept by default: losing them is another fault."""
    played = play("sse.drop where=before_terminal", UPSTREAM)

    assert played.said == "not hit: the terminal event is never dropped (never=terminal)"
    assert "done@8" in played.client


def test_events_are_counted_from_the_beginning() -> None:
    """Also when the fault comes in mid-stream."""
    assert play("sse.drop each=2", UPSTREAM, after=3).client == "b@4 finish@6 usage@7 done@8 end@9"


@pytest.mark.parametrize(
    ("line", "upstream", "reason"),
    [
        ("sse.drop each=9", UPSTREAM, "the answer ended before an event was dropped (one in 9)"),
        ("sse.drop each=2", "ask plain raw raw end", "the answer was not streamed"),
        ("sse.drop", UPSTREAM, "the answer ended before token 5"),
    ],
)
def test_nothing_to_drop_is_a_miss(line: str, upstream: str, reason: str) -> None:
    """With the reason."""
    assert play(line, upstream).said == f"not hit: {reason}"


def test_a_fault_on_each_event_that_comes_late_knows_why_it_cannot_act() -> None:
    """The answer has no events, or has announced a length that would be wrong."""
    plain = play("sse.drop each=2", "ask plain raw raw end", after=2)
    measured = play("sse.drop each=2", UPSTREAM, after=3, framing=Framing.LENGTH, length=900)

    assert plain.said == "not hit: the answer was not streamed"
    assert measured.said == "not hit: the head had already announced how the body ends (length)"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"where": "token:1", "each": 2}, "exclude each other"),
        ({"offset": 2}, "offset=2 belongs to each"),
        ({"never": "terminal,done"}, "never"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, object], message: str) -> None:
    """Never one of them ignored."""
    with pytest.raises(ValidationError, match=message):
        SseDrop.model_validate(values)


@pytest.mark.parametrize(
    ("mode", "frame"),
    [
        ("cut", '<data: {"choices":[{"index":0,"delta":{"co>'),
        ("garbage", '<data: {"choices":[{"index":0,"delta":{"co###################################>'),
        ("not_json", "<data: not json>"),
        ("json_null", "<data: null>"),
    ],
)
def test_one_event_is_broken_and_the_stream_goes_on(mode: str, frame: str) -> None:
    """Only the payload changes; the blank line stays, so the next event is not drawn in."""
    played = play(f"sse.malformed where=token:2 mode={mode}", UPSTREAM)

    assert played.client == f"ask@0 head@1 role@2 a@3 {frame}@4 c@5 finish@6 usage@7 done@8 end@9"
    assert played.said == f"token 2 malformed ({mode})"


def test_the_event_line_of_a_broken_event_stays() -> None:
    """Anthropic's clients choose the event by its name."""
    played = play("sse.malformed where=token:1 mode=json_null", "ask head role a done end", spoken="anthropic.messages")

    assert "<event: content_block_delta\ndata: null>@3" in played.client


@pytest.mark.parametrize("mode", ["cut", "not_json", "json_null"])
def test_an_event_without_a_payload_cannot_be_broken(mode: str) -> None:
    """A comment is no JSON to begin with."""
    played = play(f"sse.malformed where=event:1 mode={mode}", "ask head ping a done end")

    assert played.said == "not hit: event 1 has no payload to break"
    assert played.client == "ask@0 head@1 ping@2 a@3 done@4 end@5"


def test_faults_on_events_need_a_stream_of_a_known_dialect() -> None:
    """Otherwise they say what they lack, and they need bodies that are not compressed."""
    plain = Exchange("x", "l", 1, "POST", "/", "anthropic.messages", stream=False)
    for line in ("sse.drop each=2", "sse.malformed", "llm.error_event", "llm.no_terminal", "time.first_token"):
        assert fault(line).lacks(plain) == "the request does not ask for a stream"
        assert fault(line).lacks(Exchange("x", "l", 1, "GET", "/")) == "the request is not of a known dialect"
        assert fault(line).edits_frames
    assert SseMalformed().stops_upstream is False
