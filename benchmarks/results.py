"""What came out: samples by turn and way, and figures of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.load import Load, Sample
from benchmarks.machine import Machine
from benchmarks.ways import DIRECT, Way

Figure = Callable[[Sample], float]
LEAST_MS = 0.01
"""Added latency below this is not told apart."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One load on several ways, directly one after the other; what is compared stands in one turn.

    ``fresh`` ways are started anew each time. A ``paired`` load asks each question directly, too.
    """

    name: str
    load: Load
    ways: tuple[Way, ...]
    seconds: float
    rounds: int
    fresh: frozenset[Way] = frozenset()
    paired: bool = False
    spread_s: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """None where there are no values."""
        found = list(values)
        return cls(median(found), min(found), max(found)) if found else None


@dataclass(slots=True)
class Results:
    """Samples by turn and way, each by its round."""

    machine: Machine
    turns: dict[str, Turn] = field(default_factory=dict)
    samples: dict[tuple[str, Way], dict[int, Sample]] = field(default_factory=lambda: defaultdict(dict))
    failures: dict[tuple[str, Way], str] = field(default_factory=dict)
    """Why there is no sample, or not in every round."""
    repeated: int = 0
    """Turns that were measured again, because other processes had taken too much."""
    repeat_s: float = 0.0
    """The time that this took."""
    others_cpu: list[float] = field(default_factory=list)
    """CPU time that other processes took during each turn that counts, as a share of all cores."""

    def spread(self, turn: str, way: Way, figure: Figure) -> Spread | None:
        """A figure over all rounds."""
        return Spread.of(figure(sample) for sample in self._of(turn, way).values())

    def ratio(self, turn: str, way: Way, base: Way, figure: Figure) -> Spread | None:
        """A figure, divided by that of another way in the same round."""
        ours, theirs = self._of(turn, way), self._of(turn, base)
        both = sorted(ours.keys() & theirs.keys())
        return Spread.of(figure(ours[each]) / figure(theirs[each]) for each in both if figure(theirs[each]))

    def added_ms(self, turn: str, way: Way, figure_us: Figure) -> Spread | None:
        """A latency, less that of the direct way in the same round."""
        return Spread.of(self._added_ms(turn, way, figure_us).values())

    def added_ratio(self, turn: str, way: Way, base: Way, figure_us: Figure) -> Spread | None:
        """An added latency, divided by that of another way in the same round."""
        ours, theirs = (self._added_ms(turn, each, figure_us) for each in (way, base))
        return Spread.of(ours[number] / theirs[number] for number in ours.keys() & theirs.keys())

    def why_missing(self, turn: str, way: Way) -> str | None:
        """Why there are no samples of that way, or None."""
        if self._of(turn, way):
            return None
        return self.failures.get((turn, way)) or way.missing or "not part of this run"

    def _added_ms(self, turn: str, way: Way, figure_us: Figure) -> dict[int, float]:
        ours, direct = self._of(turn, way), self._of(turn, DIRECT)
        both = sorted(ours.keys() & direct.keys())
        return {each: max(LEAST_MS, (figure_us(ours[each]) - figure_us(direct[each])) / 1000) for each in both}

    def _of(self, turn: str, way: Way) -> dict[int, Sample]:
        return self.samples.get((turn, way), {})


def events_per_s(sample: Sample) -> float:
    """Events that reached the client."""
    return sample.events / sample.seconds


def answers_per_s(sample: Sample) -> float:
    """Answers that were complete."""
    return sample.answers / sample.seconds


def cpu_us_per_event(sample: Sample) -> float:
    """Of the proxy, what it spends on the beginning and end of streams included."""
    return sample.proxy_cpu_s * 1e6 / max(1, sample.events)


def cpu_us_per_request(sample: Sample) -> float:
    """Of the proxy; requests are counted when they are asked, for some faults never answer them."""
    return sample.proxy_cpu_s * 1e6 / max(1, sample.asked)


def cpu_share(sample: Sample) -> float:
    """Of one core."""
    return sample.proxy_cpu_s / sample.seconds


def rss_mb(sample: Sample) -> float:
    """Resident memory of the proxy at its peak."""
    return sample.proxy_rss_kib * 1024 / 1e6


def event_p50_us(sample: Sample) -> float:
    """From the backend's write to the client's read."""
    return sample.event_p50_us


def event_p99_us(sample: Sample) -> float:
    """From the backend's write to the client's read."""
    return sample.event_p99_us


def first_byte_p50_us(sample: Sample) -> float:
    """From the question to the first byte of the answer."""
    return sample.first_byte_p50_us


def first_byte_p99_us(sample: Sample) -> float:
    """From the question to the first byte of the answer."""
    return sample.first_byte_p99_us
