"""What is measured, and what came out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.machine import Machine
from benchmarks.processes import Load, Sample

DIRECT = "direct"
PROXIED = "proxied"
FAULTS = ("time.inter_token mean=0s", "stream.truncate where=token:1000000")
"""Faults that are at work in every stream and change nothing."""

INTERVAL_MS = 20
JSON_LOAD = Load(32, streamed=False)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. Each load lasts ``seconds``; a stream has ``events``, and [DONE] besides."""

    rounds: int
    seconds: float
    events: int
    streams: tuple[int, ...]
    fault_streams: int
    memory_streams: int

    @property
    def stream_s(self) -> float:
        """How long a stream lasts."""
        return self.events * INTERVAL_MS / 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """``values`` must not be empty."""
        return cls(median(values), min(values), max(values))


@dataclass(slots=True)
class Results:
    """Samples by way (direct, proxied or the fault's words) and load, one per round."""

    scale: Scale
    machine: Machine
    samples: dict[tuple[str, Load], list[Sample]] = field(default_factory=lambda: defaultdict(list))
    idle_kib: list[float] = field(default_factory=list)
    kib_per_stream: list[float] = field(default_factory=list)
    others_cpu: float = 0.0
    """CPU time that other processes took meanwhile, as a share of the whole machine."""

    def spread(self, way: str, load: Load, figure: Callable[[Sample], float]) -> Spread:
        """A figure over all rounds."""
        return Spread.of([figure(sample) for sample in self.samples[way, load]])

    def paired(self, way: str, base: str, load: Load, compare: Callable[[Sample, Sample], float]) -> Spread:
        """``compare(sample of way, sample of base)`` of the same round, over all rounds."""
        pairs = zip(self.samples[way, load], self.samples[base, load], strict=True)
        return Spread.of([compare(sample, reference) for sample, reference in pairs])


def events_per_s(sample: Sample) -> float:
    """Events that reached the client."""
    return sample.events / sample.seconds


def answers_per_s(sample: Sample) -> float:
    """Answers that were complete."""
    return sample.answers / sample.seconds


def cpu_us_per_event(sample: Sample) -> float:
    """Of the proxy, what it spends on the beginning and end of streams included."""
    return sample.proxy_cpu_s * 1e6 / max(1, sample.events)


def cpu_us_per_answer(sample: Sample) -> float:
    """Of the proxy."""
    return sample.proxy_cpu_s * 1e6 / max(1, sample.answers)
