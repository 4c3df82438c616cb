"""Faults as sequence diagrams: one word per event, one second apart.

    play("stream.truncate where=token:2", "ask head role a b c done end")

gives what the client got, as ``ask@0 head@1 role@2 a@3 b@4 end@4``, and what the fault said. Single letters are tokens;
``plain`` is the head of an answer that is not streamed, ``raw`` ten bytes of its body; ``fin`` and ``rst`` break off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from chaosproxy.events import Abort, Ask, Cut, End, Exchange, Frame, Framing, Head, Hit, Travelling
from chaosproxy.faults import build
from chaosproxy.faults.base import Fault
from chaosproxy.plan.flat import parse_flat
from chaosproxy.testing.cases import Case, seen
from chaosproxy.testing.trial import trial
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.sse import write_event

_OPENAI = {
    "role": '{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
    "finish": '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
    "usage": '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
    "done": "[DONE]",
}
_ANTHROPIC = {
    "role": ("message_start", '{"type":"message_start","message":{"role":"assistant","content":[]}}'),
    "finish": (
        "message_delta",
        '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
    ),
    "done": ("message_stop", '{"type":"message_stop"}'),
}


@dataclass(frozen=True, slots=True)
class Played:
    """What the client got, and what the fault said about it (a Hit as it is, a Miss after "not hit: ")."""

    client: str
    said: str
    events: tuple[Travelling, ...]

    @property
    def body(self) -> bytes:
        """The bytes that the client got."""
        return b"".join(event.data for event in self.events if isinstance(event, Frame))

    @property
    def head(self) -> Head:
        """The head that the client got."""
        return next(event for event in self.events if isinstance(event, Head))


def fault(line: str) -> Fault:
    """A fault as on a command line."""
    built: Fault = build(parse_flat(line)["do"])
    return built


def frame_bytes(word: str, spoken: str = "openai.chat") -> bytes:
    """The frame that a word stands for."""
    if word == "ping":
        return b": ping\n\n"
    if word == "raw":
        return b"0123456789"
    if spoken == "anthropic.messages":
        delta = f'{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{word}"}}}}'
        name, data = _ANTHROPIC.get(word, ("content_block_delta", delta))
        return write_event(data, name)
    token = f'{{"choices":[{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null}}]}}'
    return write_event(_OPENAI.get(word, token))


def play(
    line: str | Fault,
    upstream: str,
    *,
    spoken: str = "openai.chat",
    after: int = 0,
    heal_at: float | None = None,
    **head: Any,
) -> Played:
    """Play a fault against an upstream. ``after``: attached after so many events; ``head``: fields of the head."""
    events = [_event(word, float(at), spoken, head) for at, word in enumerate(upstream.split())]
    exchange = Exchange(
        "x-1", "primary", 1, "POST", "/v1/chat/completions", spoken, "m", None if spoken == "raw" else True
    )
    exchange = replace(exchange, seen=seen(events[:after]))
    attach_at = events[after - 1].at if after else 0.0
    done = trial(
        fault(line) if isinstance(line, str) else line, Case(exchange, attach_at, tuple(events[after:]), heal_at, 1)
    )
    words = {frame_bytes(word, spoken): word for word in upstream.split()}
    said = "; ".join(told.detail if isinstance(told, Hit) else f"not hit: {told.reason}" for told in done.said)
    return Played(" ".join(_word(event, words) for event in done.out), said, done.out)


def _event(word: str, at: float, spoken: str, head: dict[str, Any]) -> Travelling:
    match word:
        case "ask":
            return Ask(at)
        case "head":
            return Head(at, 200, "OK", (("content-type", "text/event-stream"),), streamed=True).framed(**_framing(head))
        case "plain":
            return Head(at, 200, "OK", (("content-type", "text/plain"),)).framed(**_framing(head))
        case "end":
            return End(at)
        case "fin" | "rst":
            return Abort(at, Cut.FIN if word == "fin" else Cut.RESET)
    data = frame_bytes(word, spoken)
    return Frame(at, data, dialect("raw" if word == "raw" else spoken).read_event(data))


def _framing(head: dict[str, Any]) -> dict[str, Any]:
    return {"framing": Framing.CHUNKED, **head}


def _word(event: Travelling, words: dict[bytes, str]) -> str:
    match event:
        case Frame(data=data):
            name = words.get(data) or f"<{data.decode('utf-8', 'replace').strip()}>"
        case Abort(how=how):
            name = "fin" if how is Cut.FIN else "rst"
        case Head(status=status):
            name = "head" if status == 200 else str(status)
        case _:
            name = type(event).__name__.lower()
    return f"{name}@{event.at:g}"
