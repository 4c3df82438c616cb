"""What is measured: the turns of a run, by how much time it may take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.fault_cost import PROBES
from benchmarks.load import Load
from benchmarks.results import Turn
from benchmarks.ways import AIMOCK, DIRECT, INTERPRETED, OURS, RELAY, TOXIPROXY, Way, ours

CPU_TURNS = {200: "200 streams", 500: "500 streams"}
SATURATION, PLAIN, REQUESTS, IDLE = "1000 streams", "plain JSON", "requests", "idle streams"
IDLE_SPREAD_S = 10.0
PROBE_CHUNK = 8
"""Faults that share a turn, and in it a measurement without one."""
TEN_FAULTS = ours(
    "ten faults",
    *(
        f"{fault} share=0.1%"
        for fault in (
            "time.stall hold=50ms",
            "time.first_token mean=100ms",
            "time.inter_token mean=5ms",
            "stream.truncate",
            "stream.fin",
            "stream.reset",
            "sse.drop",
            "sse.malformed",
            "llm.error_event",
            "llm.no_terminal",
        )
    ),
)
"""Of different kinds, so that some streams that are hit go on and others end: one stream in a hundred is hit."""
RULES_LOADED = {
    count: ours(f"{count} rules that match nothing", *["sse.drop match.model=another"] * count)
    for count in (1, 10, 30, 100)
}
RULES_AT_WORK = {
    count: ours(f"{count} faults at work", *["time.inter_token mean=0s"] * count) for count in (1, 10, 30, 100)
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. ``rounds`` is for the table of bars; ``events`` is how many a stream has."""

    rounds: int
    seconds: float
    events: int
    fault_rounds: int
    size_rounds: int
    idle_s: float
    stream_counts: tuple[int, ...]
    event_bytes: tuple[int, ...]
    rule_counts: tuple[int, ...]
    repeat_s: float
    """How much longer the run may take for turns that are measured again."""


FULL = Scale(
    rounds=5,
    seconds=2.5,
    events=100,
    fault_rounds=3,
    size_rounds=2,
    idle_s=60.0,
    stream_counts=(1, 10, 100, 1000, 2500, 5000),
    event_bytes=(50, 200, 1_000, 10_000, 50_000, 250_000, 1_000_000),
    rule_counts=(1, 10, 30, 100),
    repeat_s=240.0,
)
QUICK = Scale(
    rounds=2,
    seconds=1.0,
    events=50,
    fault_rounds=1,
    size_rounds=1,
    idle_s=5.0,
    stream_counts=(10, 1000),
    event_bytes=(200, 64_000, 1_000_000),
    rule_counts=(1, 100),
    repeat_s=0.0,
)
CHECK = Scale(
    rounds=3,
    seconds=1.5,
    events=50,
    fault_rounds=2,
    size_rounds=0,
    idle_s=0.0,
    stream_counts=(),
    event_bytes=(),
    rule_counts=(),
    repeat_s=60.0,
)


def bar_turns(scale: Scale) -> Iterator[Turn]:
    """For the table of bars."""
    rounds, seconds = scale.rounds, scale.seconds
    all_ways = (DIRECT, RELAY, TOXIPROXY, OURS, INTERPRETED)
    for streams, name in CPU_TURNS.items():
        yield Turn(name, Load(streams, events=scale.events), all_ways, seconds, rounds)
    yield Turn(
        SATURATION, Load(1000, events=scale.events), (DIRECT, RELAY, TOXIPROXY, OURS, TEN_FAULTS), seconds, rounds
    )
    yield Turn(PLAIN, Load(32, streamed=False), (*all_ways, AIMOCK), seconds, rounds)
    yield Turn(REQUESTS, Load(10, events=5, interval_ms=5), (RELAY, TOXIPROXY, OURS), seconds, rounds, paired=True)


def fault_turns(scale: Scale) -> Iterator[Turn]:
    """For the cost of each fault: those that can be counted by events, then those that can be by requests."""
    seconds = min(2.0, scale.seconds)
    for streamed, load in ((True, Load(200, events=50)), (False, Load(32, streamed=False))):
        ways = [probe.way for probe in PROBES if probe.way and probe.streamed is streamed]
        for first in range(0, len(ways), PROBE_CHUNK):
            chunk = tuple(ways[first : first + PROBE_CHUNK])
            name = f"faults {'by event' if streamed else 'by request'}, {first // PROBE_CHUNK + 1}"
            yield Turn(name, load, (RELAY, OURS, *chunk), seconds, scale.fault_rounds, fresh=frozenset(chunk))


def size_turns(scale: Scale) -> Iterator[Turn]:
    """For cost against size: more streams, larger events, more rules."""
    seconds, rounds = min(2.0, scale.seconds), scale.size_rounds
    peers = (RELAY, TOXIPROXY, OURS)
    for count in scale.stream_counts:
        yield Turn(streams_turn(count), Load(count, events=20, interval_ms=200), (TOXIPROXY, OURS), seconds, rounds)
    for size in scale.event_bytes:
        load = Load(20, events=10, interval_ms=100, size=size)
        yield Turn(bytes_turn(size), load, peers, seconds, rounds)
    for name, load, ways in (
        (RULES_LOADED_TURN, Load(32, streamed=False), RULES_LOADED),
        (RULES_AT_WORK_TURN, Load(20, events=50), RULES_AT_WORK),
    ):
        chosen: tuple[Way, ...] = tuple(ways[count] for count in scale.rule_counts)
        if chosen:
            yield Turn(name, load, (OURS, *chosen), seconds, rounds, fresh=frozenset(chosen))


def idle_turns(scale: Scale) -> Iterator[Turn]:
    """For many streams that do nothing."""
    if scale.idle_s:
        load = Load(9500, events=2, idle_s=3600.0)
        yield Turn(IDLE, load, (OURS,), scale.idle_s, 1, fresh=frozenset((OURS,)), spread_s=IDLE_SPREAD_S)


RULES_LOADED_TURN, RULES_AT_WORK_TURN = "rules loaded", "rules at work"


def streams_turn(count: int) -> str:
    """The turn with so many slow streams."""
    return f"{count} slow streams"


def bytes_turn(size: int) -> str:
    """The turn with events of so many bytes."""
    return f"events of {size} bytes"
