"""What a person reads when a proxy starts: what listens where, how to point a client at it, and what it will break."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from chaosproxy.plan.rule import Rule
from chaosproxy.units import format_share

_BYTES = ("tcp://", "tls://")
_QUESTION = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Count to twenty."}]}


def welcome(
    listeners: Mapping[str, Mapping[str, str]], rules: Sequence[Rule], *, seed: int, control: str | None
) -> Iterator[str]:
    """Lines for a terminal. ``listeners`` maps names to ``url`` and ``upstream``."""
    width = max(map(len, listeners))
    for name, facts in listeners.items():
        yield f"{name:<{width}}  {facts['url']}  ->  {facts['upstream']}"
    if control is not None:
        yield f"control API at {control}"
        yield f"live page at {control}/"
    yield ""
    urls = [facts["url"] for facts in listeners.values()]
    if spoken := [url for url in urls if not url.startswith(_BYTES)]:
        yield from _for_clients(spoken[0])
    else:
        yield f"point your client at {urls[0].partition('://')[2]}"
    yield ""
    if not rules:
        yield "no fault: everything passes untouched (`chaosproxy faults` lists what --fault can do)"
    for rule in rules:
        name = "" if rule.id == rule.do.type else f" {rule.id}"
        yield f"fault{name} on {', '.join(rule.listeners)}: {rule_words(rule)}"
    yield f"seed {seed}; Ctrl-C ends it"
    yield ""


def rule_words(rule: Rule) -> str:
    """The rule as ``--fault`` spells it, without its id and target."""
    words = rule.do.model_dump(mode="json", exclude_unset=True, by_alias=True)
    flat = [rule.do.type, *_flat(words)]
    if rule.share < 1:
        flat.append(f"share={format_share(rule.share)}")
    rest = rule.model_dump(mode="json", exclude_defaults=True, exclude={"id", "listeners", "do", "share"})
    return " ".join([*flat, *_flat(rest)])


def _for_clients(url: str) -> Iterator[str]:
    yield f"export OPENAI_BASE_URL={url}/v1"
    yield f"export ANTHROPIC_BASE_URL={url}"
    yield f"curl -N {url}/v1/chat/completions \\"
    yield '  -H "authorization: Bearer $OPENAI_API_KEY" -H "content-type: application/json" \\'
    yield f"  -d '{json.dumps(_QUESTION)}'"


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        match value:
            case dict():
                yield from _flat(value, f"{prefix}{key}.")
            case bool():
                yield f"{prefix}{key}={str(value).lower()}"
            case list():
                yield f"{prefix}{key}={','.join(map(str, value))}"
            case _:
                yield f"{prefix}{key}={value}"
