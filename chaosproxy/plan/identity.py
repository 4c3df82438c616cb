"""Who is who: the call that an exchange belongs to, and the key of its dice.

A request names its call in one of four ways. The two that only this project writes may also roll dice; the others join
exchanges but differ between two runs of one seed. A request that names nothing is known by its body.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from chaosproxy.events import Headers, value
from chaosproxy.plan.counters import Counters

CALL_TAG = re.compile(r"cp-[0-9a-z]{4,12}-\d+")
"""What our load puts into each prompt (``cp-<nonce of the run>-<number of the call>``) and the lab into each answer."""
CALL_HEADER = "x-chaosproxy-call"
CALL_CHARS = 256
"""The longest name of a call that is kept as it is."""
_NAMING = frozenset({CALL_HEADER, "traceparent", "idempotency-key"})
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")


def call_tag(prompt: str | None) -> str | None:
    """The last call tag in a prompt: a conversation repeats the earlier ones."""
    if prompt is None or "cp-" not in prompt:  # long prompts are searched in no time
        return None
    tags = CALL_TAG.findall(prompt)
    return tags[-1] if tags else None


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C ``traceparent`` header."""
    match = _TRACEPARENT.fullmatch(traceparent.strip().lower()) if traceparent else None
    return match[1] if match else None


@value
class Identity:
    """``call`` joins exchanges (None when nothing names it), ``attempt`` counts them, ``dice_key`` is for chance.

    ``occurrence`` counts requests at the listener that are the same, by their tag or else by their body.
    """

    call: str | None
    attempt: int
    dice_key: str
    occurrence: int = 1


def identify(headers: Headers, prompt: str | None, body: bytes, *, listener: str, counters: Counters) -> Identity:
    """Who this request is, and one more attempt of it at ``listener``.

    A tag goes before ``traceparent`` and ``idempotency-key``: a gateway or its SDK makes new ones of these for each
    request that it sends, but it passes the prompt on. The dice key contains the listener, so that a fault on two of
    them does not hit the same calls on both.
    """
    names = _names(headers)
    named = names.get(CALL_HEADER) or call_tag(prompt)
    call = named or trace_id(names.get("traceparent")) or names.get("idempotency-key")
    thrown_by = _without_nonce(named) if named else f"body {blake2b(body, digest_size=8).hexdigest()}"
    throw = counters.attempt(f"{listener} dice {named or thrown_by}")  # from one for each run at a proxy that stays
    attempt = throw if call == named else counters.attempt(f"{listener} call {call}")
    return Identity(call, attempt if call else 1, f"{listener} {thrown_by} {throw}", throw)


def _names(headers: Headers) -> dict[str, str]:
    """The header fields that may name a call, the first of each."""
    found: dict[str, str] = {}
    for name, content in headers:
        if (lower := name.lower()) in _NAMING:
            found.setdefault(lower, content)
    return {name: _short(content) for name, content in found.items()}


def _short(name: str) -> str:
    """As it is, or its hash when it is too long for a name: many are kept, to count attempts and to join records."""
    if len(name) <= CALL_CHARS:
        return name
    return f"long {blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def _without_nonce(name: str) -> str:
    """A call tag's number: the nonce differs between two runs of one seed, which must throw the same dice."""
    tag = CALL_TAG.fullmatch(name)
    return f"call {tag[0].rpartition('-')[2]}" if tag else name
