"""An endless row of plans over the whole catalogue, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from chaosproxy.faults import REGISTRY, fault_class
from chaosproxy.faults.base import Fault, Room
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule

SETTINGS: dict[str, tuple[str, ...]] = {
    "http.rate_limit": ("", "requests_per_minute=600", "tokens_per_minute=3000"),
    "conn.reset": ("", "stage=accept"),
    "conn.close": ("", "stage=accept"),
    "conn.blackhole": ("hold=1s", ""),
    "conn.slow_accept": ("hold=300ms",),
    "conn.cap": ("connections=150", "connections=100 excess=refuse"),
    "conn.lost_response": ("", "mode=reset"),
    "time.first_byte": ("mean=300ms jitter=100ms",),
    "time.first_token": ("mean=400ms jitter=100ms",),
    "time.inter_token": ("mean=20ms jitter=10ms dist=lognormal",),
    "time.stall": ("hold=500ms", ""),
    "time.keepalive_only": ("period=200ms",),
    "time.buffer": ("until=events:5", "until=bytes:4000", ""),
    "time.bandwidth": ("bytes_per_second=20000 chunk_bytes=100",),
    "time.linger": ("hold=500ms",),
    "sse.drop": ("each=7",),
    "sse.duplicate": ("each=7",),
    "sse.reorder": ("each=7 distance=2",),
    "sse.comment": ("period=100ms",),
    "body.truncate": ("percent=50", "bytes=100000"),
    "llm.schema": ("drop=choices",),
    "ws.delay": ("mean=50ms jitter=20ms",),
    "partition": ("mode=blackhole live_streams=stall", "mode=refuse live_streams=cut", "mode=reset live_streams=keep"),
    "toxic.latency": ("latency=50ms jitter=20ms", "latency=30ms direction=upstream toxicity=50%"),
    "toxic.bandwidth": ("rate=40", "rate=20 direction=upstream toxicity=50%"),
    "toxic.slow_close": ("delay=200ms",),
    "toxic.timeout": ("timeout=300ms toxicity=30%", "toxicity=30%"),
    "toxic.reset_peer": ("timeout=200ms toxicity=30%",),
    "toxic.slicer": ("average_size=64 size_variation=16 delay=1ms",),
    "toxic.limit_data": ("bytes=4000 toxicity=30%",),
}
"""Where the defaults of a fault would do nothing, or would end the load; one of them is chosen."""
RULES = 6
"""Of one plan."""
GATE_S = 0.3
"""How long a port is closed: nobody else gets through meanwhile."""
SHARES = (0.05, 0.1, 0.3)
FRESH_IDS = 0.5
"""Part of the rules with an id that never comes again; the others keep theirs."""


class Changes:
    """Each plan has the next faults of a shuffled catalogue, so that all of them have their turn again and again."""

    def __init__(self, seed: int, http: Sequence[str], tcp: Sequence[str]) -> None:
        self._chance = Random(seed)
        self._http = tuple(http)
        self._tcp = tuple(tcp)
        self._left: list[type[Fault]] = []
        self._rules = 0

    def next(self) -> list[Rule]:
        """The next plan."""
        plan: dict[str, Rule] = {}
        while len(plan) < RULES:
            rule = self._rule(self._draw())
            plan.setdefault(rule.id, rule)  # where one round of the catalogue ends and the next begins
        return list(plan.values())

    def _draw(self) -> type[Fault]:
        if not self._left:
            self._left = list(REGISTRY)
            self._chance.shuffle(self._left)
        return self._left.pop()

    def _rule(self, kind: type[Fault]) -> Rule:
        chance = self._chance
        self._rules += 1
        values = parse_flat(f"{kind.type} {chance.choice(SETTINGS.get(kind.type, ('',)))}")
        values["id"] = f"{kind.type}-{self._rules}" if chance.random() < FRESH_IDS else kind.type
        closes = _settled(values).gate() is not None
        values["listeners"] = self._where(kind, closes=closes)
        if closes or kind.type == "partition":
            values["lasts"] = GATE_S
        elif kind.room is not Room.TOXIC:
            values.update(self._for_whom())
        if chance.random() < 0.2:
            values["flap"] = {"down": "400ms", "up": "200ms"}
        return Rule.model_validate(values)

    def _where(self, kind: type[Fault], *, closes: bool) -> tuple[str, ...]:
        """On one HTTP listener or all; what can act on bytes, now and then on those without HTTP."""
        if (closes or kind.room is Room.TOXIC or kind.type == "partition") and self._chance.random() < 0.4:
            return self._tcp
        return self._http if self._chance.random() < 0.3 else (self._chance.choice(self._http),)

    def _for_whom(self) -> dict[str, Any]:
        chance = self._chance
        chosen: dict[str, Any] = {"share": chance.choice(SHARES), "streams": chance.choice(("new", "new", "all"))}
        if chance.random() < 0.2:
            chosen["match"] = chance.choice(({"each": 3}, {"skip": 5}, {"first": 20}, {"stream": True}))
        if chance.random() < 0.2:
            chosen["max_hits"] = 10
        return chosen


def _settled(values: dict[str, Any]) -> Fault:
    return fault_class(values["do"]["type"]).model_validate(
        {key: value for key, value in values["do"].items() if key != "type"}
    )
