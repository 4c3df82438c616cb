"""The bars: what the data plane must reach, and whether a run shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.load import Sample
from benchmarks.plan import CPU_TURNS, IDLE, PLAIN, REQUESTS, SATURATION, TEN_FAULTS
from benchmarks.results import (
    Figure,
    Results,
    Spread,
    answers_per_s,
    cpu_us_per_event,
    event_p50_us,
    event_p99_us,
    events_per_s,
    rss_mb,
)
from benchmarks.ways import AIMOCK, OURS, TOXIPROXY, Way

DELIVERED_MIN = 0.99
"""Of the offered events: a proxy that falls behind does less work, and looks cheaper per event than it is."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure of one of our ways in one turn, and its bound: a share of a peer's figure, or absolute without one."""

    what: str
    unit: str
    turn: str
    way: Way
    figure: Figure
    bound: float
    peer: Way | None = None
    at_least: bool = False
    added: bool = False
    """Latency in ms, less the direct way's."""
    at_full_rate: bool = False
    """Counts only when the offered events arrive."""

    @property
    def words(self) -> str:
        """The bar as the table shows it."""
        sign = ">=" if self.at_least else "<="
        return f"{sign} {self.bound:g} x {self.peer.name}" if self.peer else f"{sign} {self.bound:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run says about a bar. ``verdict`` is met, not met, or not judged with the reason."""

    what: str
    unit: str
    bar: str
    ours: Spread | None
    peer: str
    theirs: Spread | None
    ratio: Spread | None
    verdict: str
    at_least: bool = False


def bars() -> Iterator[Bar]:
    """In the order of the table."""
    for streams, turn in CPU_TURNS.items():
        yield Bar(
            f"CPU per event, {streams} streams", "us", turn, OURS, cpu_us_per_event, 1.0, TOXIPROXY, at_full_rate=True
        )
    for name, way, slack in (("1000 streams", OURS, 1.0), ("1000 streams, ten faults, 1 % hit", TEN_FAULTS, 1.2)):
        if way is TEN_FAULTS:
            yield Bar(f"CPU per event, {name}", "us", SATURATION, way, cpu_us_per_event, slack, TOXIPROXY)
        yield Bar(
            f"events delivered, {name}", "events/s", SATURATION, way, events_per_s, round(1 / slack, 2), TOXIPROXY,
            at_least=True,
        )  # fmt: skip
        yield Bar(f"added latency p99, {name}", "ms", SATURATION, way, event_p99_us, slack, TOXIPROXY, added=True)
    for rank, figure in (("p50", event_p50_us), ("p99", event_p99_us)):
        yield Bar(
            f"added latency {rank}, 500 streams", "ms", CPU_TURNS[500], OURS, figure, 1.0, TOXIPROXY,
            added=True, at_full_rate=True,
        )  # fmt: skip
    yield Bar("memory, 1000 streams", "MB", SATURATION, OURS, rss_mb, 0.5, TOXIPROXY)
    for peer, least in ((AIMOCK, 5.0), (TOXIPROXY, 0.3)):
        what = f"plain JSON, 32 connections, beside {peer.name}"
        yield Bar(what, "requests/s", PLAIN, OURS, answers_per_s, least, peer, at_least=True)
    yield Bar("added latency of a request p50, 10 streams", "ms", REQUESTS, OURS, _added_p50_ms, 0.3)
    yield Bar("added latency of a request p99, 10 streams", "ms", REQUESTS, OURS, _added_p99_ms, 2.0)
    yield Bar("streams that do nothing", "streams open", IDLE, OURS, _open, 9500, at_least=True)
    yield Bar("memory, streams that do nothing", "MB", IDLE, OURS, rss_mb, 400)


def judge(results: Results) -> list[Judged]:
    """Every bar whose turn is part of the run's plan."""
    return [_judged(bar, results) for bar in bars() if bar.turn in results.turns]


def _judged(bar: Bar, results: Results) -> Judged:
    own = _spread(bar, results, bar.way)
    theirs = _spread(bar, results, bar.peer) if bar.peer else None
    ratio = _ratio(bar, results)
    return Judged(
        bar.what,
        bar.unit,
        bar.words,
        own,
        bar.peer.name if bar.peer else "",
        theirs,
        ratio,
        _verdict(bar, results, own, ratio),
        bar.at_least,
    )


def _verdict(bar: Bar, results: Results, own: Spread | None, ratio: Spread | None) -> str:
    measured = ratio if bar.peer else own
    if measured is None:
        ways = [bar.way] if bar.peer is None else [bar.way, bar.peer]
        reasons = [f"{way.name}: {why}" for way in ways if (why := results.why_missing(bar.turn, way))]
        return f"not judged ({'; '.join(reasons) or 'no round has both'})"
    return _shortfall(bar, results) or verdict(measured.median, bar.bound, at_least=bar.at_least)


def verdict(value: float, bound: float, *, at_least: bool) -> str:
    """In words; the bound itself is good enough."""
    return "met" if (value >= bound if at_least else value <= bound) else "not met"


def _shortfall(bar: Bar, results: Results) -> str | None:
    """A figure at less than the offered rate meets nothing; None where the rate is held."""
    if not bar.at_full_rate:
        return None
    rate = results.spread(bar.turn, bar.way, events_per_s)
    offered = results.turns[bar.turn].load.offered_per_s
    if rate is None or rate.median >= DELIVERED_MIN * offered:
        return None
    return f"not met ({rate.median / offered:.1%} of the offered events arrived)"


def _spread(bar: Bar, results: Results, way: Way) -> Spread | None:
    return (results.added_ms if bar.added else results.spread)(bar.turn, way, bar.figure)


def _ratio(bar: Bar, results: Results) -> Spread | None:
    if bar.peer is None:
        return None
    compare: Callable[[str, Way, Way, Figure], Spread | None] = results.added_ratio if bar.added else results.ratio
    return compare(bar.turn, bar.way, bar.peer, bar.figure)


def _added_p50_ms(sample: Sample) -> float:
    return sample.added_p50_us / 1000


def _added_p99_ms(sample: Sample) -> float:
    return sample.added_p99_us / 1000


def _open(sample: Sample) -> float:
    return sample.open
