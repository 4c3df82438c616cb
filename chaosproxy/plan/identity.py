"""Who is who: the call that an exchange belongs to, and the key of its dice.

A request names its call in one of four ways. The two that only this project writes may also roll dice; the others join
exchanges but differ between two runs of one seed. A request that names nothing is known by its body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

from chaosproxy.events import Headers, header
from chaosproxy.plan.counters import Counters

CALL_TAG = re.compile(r"cp-[0-9a-z]{4,12}-\d+")
"""What our load puts into each prompt (``cp-<nonce of the run>-<number of the call>``) and the lab into each answer."""
CALL_HEADER = "x-chaosproxy-call"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")


def call_tag(prompt: str | None) -> str | None:
    """The last call tag in a prompt: a conversation repeats the earlier ones."""
    tags = CALL_TAG.findall(prompt or "")
    return tags[-1] if tags else None


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C ``traceparent`` header."""
    match = _TRACEPARENT.fullmatch((traceparent or "").strip().lower())
    return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Identity:
    """``call`` joins exchanges (None when nothing names it), ``attempt`` counts them, ``dice_key`` is for chance."""

    call: str | None
    attempt: int
    dice_key: str


def identify(headers: Headers, prompt: str | None, body: bytes, *, listener: str, counters: Counters) -> Identity:
    """Who this request is, and one more attempt of it at ``listener``.

    A tag goes before ``traceparent`` and ``idempotency-key``: a gateway or its SDK makes new ones of these for each
    request that it sends, but it passes the prompt on. The dice key contains the listener, so that a fault on two of
    them does not hit the same calls on both.
    """
    named = header(headers, CALL_HEADER)
    tag = call_tag(prompt)
    call = named or tag or trace_id(header(headers, "traceparent")) or header(headers, "idempotency-key")
    thrown_by = _without_nonce(named or tag) or f"body {blake2b(body, digest_size=8).hexdigest()}"
    throw = counters.attempt(f"{listener} dice {thrown_by}")
    attempt = throw if call in (None, named or tag) else counters.attempt(f"{listener} call {call}")
    return Identity(call, attempt if call else 1, f"{listener} {thrown_by} {throw}")


def _without_nonce(name: str | None) -> str | None:
    """A call tag's number: the nonce differs between two runs of one seed, which must throw the same dice."""
    tag = CALL_TAG.fullmatch(name or "")
    return f"call {tag[0].rpartition('-')[2]}" if tag else name
