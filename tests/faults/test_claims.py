"""What a fault claims (``lacks`` is None) it can hit: over the whole catalogue, in every dialect.

The other way round is no rule: a comment could be put into a stream of JSON lines, and would mean nothing there.
"""

from __future__ import annotations

import pytest

from chaosproxy.events import Ask, End, Exchange, Frame, Framing, Head
from chaosproxy.faults import CATALOGUE, build
from chaosproxy.faults.base import Fault, Room
from chaosproxy.testing.cases import Case
from chaosproxy.testing.trial import trial
from chaosproxy.wire.dialects import DIALECTS, dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import Dialect

PIECES = ("Frère", " Jacques,", " dors", "-tu,", " dors", "-tu?")
TOOL = ToolCall("weather", ('{"city": ', '"Paris"}'))
ANSWERS = tuple(
    Answer("1", "m", 0, PIECES, finish, 3, 9, tool, include_usage=True)
    for finish, tool in ((Finish.STOP, None), (Finish.LENGTH, None), (Finish.TOOL, TOOL))
)
TELLING: dict[str, tuple[dict[str, object], ...]] = {
    "time.first_byte": ({"mean": "1s"},),
    "time.first_token": ({"mean": "1s"},),
    "time.inter_token": ({"mean": "1s"},),
    "sse.malformed": ({}, {"where": "before_terminal"}),
    "llm.schema": ({"drop": "model,modelVersion,response.model,message.model"},),
}
"""Settings with which a fault has something to do, where its defaults have not."""
REQUESTS = [
    (spoken, stream)
    for spoken in DIALECTS
    for stream in ((None,) if spoken.name == "raw" else (True,) if spoken.name == "gemini.array" else (True, False))
]
"""Every kind of request; raw has no streams, and gemini.array nothing else."""
FAULTS = [
    build({"type": fault.type, **settings})
    for fault in CATALOGUE
    if not fault().on_messages  # messages have no dialect
    and fault.type != "conn.cap"  # it needs several calls
    and fault.room is not Room.TOXIC  # these know bytes, not requests
    for settings in TELLING.get(fault.type, ({},))
]


def hits(fault: Fault, exchange: Exchange, spoken: Dialect, answer: Answer, framing: Framing) -> bool:
    """Whether it hits this answer to this request."""
    streamed = bool(exchange.stream)
    pieces = spoken.stream_frames(answer) if streamed else [spoken.plain_body(answer) or bytes(99)]
    read = spoken.read_event if streamed else dialect("raw").read_event
    frames = [Frame(2.0 + index / 100, data, read(data)) for index, data in enumerate(pieces)]
    media_type = (("content-type", spoken.stream_type if streamed else "application/json"),)
    length = sum(map(len, pieces)) if framing is Framing.LENGTH else None
    head = Head(1.0, 200, "OK", media_type, streamed=streamed).framed(framing, length)
    return trial(fault, Case(exchange, 0.0, (Ask(0.0), head, *frames, End(9.0)), None, 1)).hit


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_a_fault_claims_what_it_can_hit(fault: Fault) -> None:
    """Some answer to each request that it claims: a wrong claim would end a run as inconclusive."""
    wrong = []
    for spoken, stream in REQUESTS:
        exchange = Exchange("x-1", "a", 1, "POST", "/", spoken.name, "m", stream, headers=(("Range", "bytes=5-"),))
        tried = (
            hits(fault, exchange, spoken, answer, framing)
            for answer in ANSWERS
            for framing in (Framing.CHUNKED, Framing.LENGTH)
        )
        if fault.lacks(exchange) is None and not any(tried):
            wrong.append((spoken.name, stream))

    assert wrong == []


@pytest.mark.parametrize(
    ("line", "spoken", "stream", "reason"),
    [
        ("sse.event_name", "openai.chat", True, "the events of openai.chat have no names"),
        ("sse.event_name", "gemini", True, "the events of gemini have no names"),
        ("sse.event_name", "ollama", True, "ollama does not stream server-sent events"),
        ("sse.event_name", "anthropic.messages", False, "the request does not ask for a stream"),
        ("sse.event_name", "raw", None, "the request is not of a known dialect"),
        ("llm.tool_args_cut", "raw", None, "the request is not of a known dialect"),
        ("llm.tool_args_cut", "ollama.generate", True, "ollama.generate has no tools"),
        (
            "llm.tool_args_cut",
            "gemini",
            True,
            "answers of gemini have a tool's arguments as an object, of which there is no half",
        ),
    ],
)
def test_a_fault_says_why_it_can_never_act(line: str, spoken: str, stream: bool | None, reason: str) -> None:
    """In the words of the journal."""
    assert build({"type": line}).lacks(Exchange("x-1", "a", 1, "POST", "/", spoken, "m", stream)) == reason
