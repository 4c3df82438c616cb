"""How the cost of each fault is measured, derived from the catalogue: a new fault appears by itself."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from benchmarks.ways import Way, ours
from chaosproxy.errors import BadValue
from chaosproxy.faults import CATALOGUE, describe
from chaosproxy.faults.base import Fault, Room
from chaosproxy.plan.flat import parse_flat

NEVER = "token:1000000"
"""A place that no stream of the benchmark reaches."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One fault with settings that can be measured, or the reason why there are none."""

    fault: str
    way: Way | None
    how: str
    streamed: bool = True
    """Counted by events; otherwise by requests for plain JSON."""


def probe(fault: type[Fault]) -> Probe:
    """Settings that change nothing, else a place that is never reached, else the defaults."""
    if fault.room is Room.TOXIC:
        return Probe(fault.type, None, "acts on TCP connections, which have a table of their own", streamed=False)
    if fault.room is Room.ADMISSION:
        if fault().gate() is not None:
            return Probe(fault.type, None, "acts on connections: no request reaches the proxy", streamed=False)
        return Probe(fault.type, ours(fault.type, fault.type), "every request, default settings", streamed=False)
    neutral = fault.neutral()
    if neutral is not None:
        words = _words(describe(neutral))
        return Probe(fault.type, ours(fault.type, words), "at work in every stream, changes nothing")
    words = f"{fault.type} where={NEVER}"
    if _is_valid(words):
        return Probe(fault.type, ours(fault.type, words), "looks for a place that no stream reaches")
    return Probe(fault.type, ours(fault.type, fault.type), "every stream, default settings")


def _words(settings: dict[str, Any]) -> str:
    """As on the command line."""
    name = settings.pop("type")
    return shlex.join([name, *(f"{key}={value}" for key, value in _flat(settings))])


def _flat(settings: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in settings.items():
        match value:
            case dict():
                found += [(f"{key}.{inner}", text) for inner, text in _flat(value)]
            case bool():
                found.append((key, str(value).lower()))
            case list():
                found.append((key, ",".join(map(str, value))))
            case _:
                found.append((key, str(value)))
    return found


def _is_valid(words: str) -> bool:
    try:
        parse_flat(words)
    except BadValue:
        return False
    return True


PROBES = tuple(probe(fault) for fault in CATALOGUE)
