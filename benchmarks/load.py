"""The load: what llmbench asks for, and what it saw."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import END_S, POLL_S, BenchmarkFailed, Process, pinned, read_line

PLAIN_SPREAD_S = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """``streams`` connections in a closed loop; without ``streamed`` they ask for plain JSON.

    ``size`` is that of an event in bytes, 0 a plain chunk of about 170. ``idle_s`` is a silence after the first event.
    """

    streams: int
    streamed: bool = True
    events: int = 100
    interval_ms: float = 20.0
    size: int = 0
    idle_s: float = 0.0

    @property
    def spread_s(self) -> float:
        """Over how long the streams begin: as long as one lasts, so that as many are at each place of theirs."""
        return self.events * self.interval_ms / 1000 if self.streamed else PLAIN_SPREAD_S

    @property
    def offered_per_s(self) -> float:
        """Events that the streams bring if nobody is late."""
        return self.streams * 1000 / self.interval_ms if self.streamed else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What one load saw in ``seconds``, and what the proxy used for it; a direct one leaves that at 0."""

    seconds: float
    asked: int
    answers: int
    events: int
    errors: int
    incomplete: int
    open: int
    """Streams that had begun when the time was over."""
    event_p50_us: float
    event_p99_us: float
    first_byte_p50_us: float
    first_byte_p99_us: float
    added_p50_us: float
    """To the first byte of an answer, more than the same question asked directly just before."""
    added_p99_us: float
    proxy_cpu_s: float = 0.0
    proxy_rss_kib: int = 0


def load_words(
    program: Path, core: int | None, load: Load, *, port: int, seconds: float, spread_s: float | None = None
) -> list[object]:
    """The command of a load; ``pair=PORT`` and ``trace=FILE`` may follow."""
    words = [*pinned(core), program, "load", "127.0.0.1", port, f"streams={load.streams}", f"seconds={seconds}"]
    words += [f"stream={int(load.streamed)}", f"spread_s={load.spread_s if spread_s is None else spread_s}"]
    if load.streamed:
        words += [f"events={load.events}", f"interval_us={load.interval_ms * 1000:.0f}"]
        words += [f"size={load.size}", f"idle_ms={load.idle_s * 1000:.0f}"]
    return words


def apply_load(words: list[object], *, seconds: float, spread_s: float, through: Process | None) -> Sample:
    """Run the command of a load and watch the proxy meanwhile.

    Raises BenchmarkFailed when it fails or does not end in time.
    """
    if through:
        through.settle()
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True) as process:
        try:
            read_line(process, spread_s + END_S)
            began_cpu_s = through.cpu_s if through else 0.0
            rss_kib = _await_end(process, seconds, through)
            cpu_s = through.cpu_s - began_cpu_s if through else 0.0
            seen = read_line(process, END_S)
        except FileNotFoundError as error:
            raise BenchmarkFailed("the proxy ended under load") from error
        finally:
            process.kill()
    return _sample(seen, cpu_s, rss_kib)


def _await_end(process: subprocess.Popen[str], seconds: float, through: Process | None) -> int:
    """Wait for a load; the most memory that the proxy had meanwhile."""
    rss_kib = 0
    for _ in range(int((seconds + END_S) / POLL_S)):
        rss_kib = max(rss_kib, through.rss_kib) if through else 0
        try:
            process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            continue
        return rss_kib
    raise BenchmarkFailed(f"the load did not end within {seconds + END_S:g} s")


def _sample(seen: dict[str, Any], cpu_s: float, rss_kib: int) -> Sample:
    percentiles = {
        f"{name}_{rank}_us": seen[f"{name}_us"][rank]
        for name in ("event", "first_byte", "added")
        for rank in ("p50", "p99")
    }
    counts = {name: seen[name] for name in ("seconds", "asked", "answers", "events", "errors", "incomplete", "open")}
    return Sample(**counts, **percentiles, proxy_cpu_s=cpu_s, proxy_rss_kib=rss_kib)
