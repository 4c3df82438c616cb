"""Faults that a request asks for itself, in header fields: rules for this one exchange.

    x-chaosproxy-fault: stream.truncate where=token:3; time.first_token mean=2s

They are written as on the command line. What only makes sense over many exchanges is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from chaosproxy.dice import Dice
from chaosproxy.errors import BadValue
from chaosproxy.events import Exchange, Headers
from chaosproxy.faults.base import Capped, Metered
from chaosproxy.plan.counters import LocalCounters
from chaosproxy.plan.decision import Decider, Decision
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import ID_LENGTH_MAX, Rule, free_id

FAULT_HEADER = "x-chaosproxy-fault"
FAULTS_MAX = 16
"""As many faults one request may ask for."""
_PREFIX = "header."
"""Ids begin with it, so that a journal tells these faults from those of the plan."""
_KNOWN_TEXTS = 256
"""As many different requests for faults are remembered: a test sends the same one again and again."""

_BEYOND_ONE_REQUEST = {
    "listeners": ("target", "it acts at the listener that this request came to"),
    "lasts": ("lasts", "it ends with its exchange; what holds back has a hold of its own"),
    "streams": ("streams", "it is for this exchange alone"),
    "flap": ("flap", "it is for this exchange alone"),
    "max_hits": ("max_hits", "it is for this exchange alone"),
}


def asked_faults(headers: Headers) -> tuple[str, ...]:
    """The values of all ``x-chaosproxy-fault`` fields, in their order."""
    return tuple([value for name, value in headers if name.lower() == FAULT_HEADER])


@lru_cache(_KNOWN_TEXTS)
def rules_asked_for(values: tuple[str, ...], listener: str) -> tuple[Rule, ...]:
    """A rule for each fault that these fields ask for; several in one field have ``;`` between them.

    Raises BadValue with all mistakes, one a line.
    """
    texts = [text for value in values for text in _apart(value)]
    if len(texts) > FAULTS_MAX:
        raise BadValue(f"{len(texts)} faults for one request, and at most {FAULTS_MAX} are allowed")
    rules: list[Rule] = []
    problems: list[str] = []
    for text in texts:
        try:
            rules.append(_rule(text, listener, {rule.id for rule in rules}))
        except BadValue as error:
            problems += [f"{text!r}: {line}" for line in str(error).splitlines()]
    if problems:
        raise BadValue("\n".join(problems))
    return tuple(rules)


def decide_asked(rules: tuple[Rule, ...], dice: Dice, exchange: Exchange, now: float) -> Iterator[Decision]:
    """One decision for each rule. Nothing is counted beyond this exchange."""
    for rule in rules:
        yield Decider(rule, dice, now, LocalCounters()).decide(exchange, now)


def _rule(text: str, listener: str, taken: set[str]) -> Rule:
    values = parse_flat(text)
    problems = [f"{key}: {why}" for name, (key, why) in _BEYOND_ONE_REQUEST.items() if name in values]
    rule_id = _PREFIX + values["id"] if "id" in values else free_id(_PREFIX + values["do"]["type"], taken)
    if rule_id in taken:
        problems.append(f"id={values['id']}: another fault of this request has this id")
    if len(rule_id) > ID_LENGTH_MAX:
        raise BadValue(f"id={values['id']}: at most {ID_LENGTH_MAX - len(_PREFIX)} characters")
    rule = Rule.model_validate({**values, "id": rule_id, "listeners": (listener,)})
    if rule.match.counts_exchanges:
        problems.append("match.first, skip, nth and each count exchanges, and this is one")
    if rule.on_connections:
        problems.append(f"{rule.do.type} acts on a whole connection, with all its requests")
    elif rule.do.gate() is not None:
        problems.append(
            f"{rule.do.type} closes the listener, for everybody; one request can be lost with conn.blackhole, "
            "or with conn.refuse stage=after_request"
        )
    if rule.do.needs_server:
        problems.append(f"{rule.do.type}: via=toxiproxy is for experiments; conn.blackhole loses one request")
    if isinstance(rule.do, Metered) and rule.do.quotas_per_minute():
        problems.append(f"{rule.do.type}: a rate is over many exchanges; without one it refuses this request")
    if isinstance(rule.do, Capped):
        problems.append(f"{rule.do.type}: a cap is over many exchanges, and this is one")
    if problems:
        raise BadValue("\n".join(problems))
    return rule


def _apart(value: str) -> list[str]:
    """``a; b`` in two; within quotes a semicolon is text. An empty last piece is none."""
    pieces, quote = [""], ""
    for character in value:
        if character == ";" and not quote:
            pieces.append("")
            continue
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        pieces[-1] += character
    stripped = [piece.strip() for piece in pieces]
    return stripped[:-1] if len(stripped) > 1 and not stripped[-1] else stripped
