"""Single calls that the page names: what their client saw, and every request that they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chaosproxy.report.facts.attempts import link_of
from chaosproxy.report.facts.outline import Outline
from chaosproxy.steady_state.history import Story


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a call, ``at_s`` seconds after the call was to be sent; ``hits`` are the words of the faults."""

    id: str
    listener: str
    at_s: float
    lasted_s: float | None
    status: int | None
    ended: str
    tokens: int
    upstream_tokens: int
    hits: Sequence[str]
    error: str


@dataclass(frozen=True, slots=True)
class NamedCall:
    """Times are seconds since it should have been sent; ``at_s`` is when that was, since t = 0."""

    id: str
    outcome: str
    at_s: float
    status: int | None
    error: str
    ttft: float | None
    e2e: float | None
    finish: str
    chars: int
    expected_chars: int | None
    served: str
    requests: Sequence[Request]


def named_call(story: Story, outline: Outline) -> NamedCall:
    """One call for the page."""
    call, begin = story.call, story.call.intended_at
    return NamedCall(
        id=call.id,
        outcome=story.outcome.value,
        at_s=begin - outline.origin,
        status=call.status,
        error="" if call.error is None else ": ".join(filter(None, (call.error.kind, call.error.message))),
        ttft=None if call.first_content_at is None else call.first_content_at - begin,
        e2e=None if call.end_at is None else call.end_at - begin,
        finish=call.finish or "",
        chars=call.text.chars,
        expected_chars=None if call.expected is None else call.expected.chars,
        served="" if story.source is None else story.source.listener,
        requests=[
            Request(
                id=exchange.id,
                listener=exchange.listener,
                at_s=exchange.began_at - begin,
                lasted_s=None if exchange.sent.end_at is None else exchange.sent.end_at - exchange.began_at,
                status=exchange.sent.status,
                ended=link_of(exchange).ended,
                tokens=exchange.sent.tokens,
                upstream_tokens=exchange.received.tokens,
                hits=[f"{hit.fault}: {hit.detail}" for hit in story.hits_on(exchange)],
                error=exchange.error or "",
            )
            for exchange in story.exchanges
        ],
    )
