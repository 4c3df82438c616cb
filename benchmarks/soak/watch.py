"""What a proxy has, over time: memory and descriptors from /proc, tasks, timers and counters from its own metrics."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.processes import BenchmarkFailed

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Figures:
    """One look. ``rss_bytes`` and ``files`` are the kernel's, the rest is what the proxy says."""

    at_s: float
    rss_bytes: int
    files: int
    tasks: int
    timers: int
    open_exchanges: int
    open_connections: int

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way."""
        return not self.open_exchanges and not self.open_connections


@dataclass(frozen=True, slots=True)
class Scrape:
    """The samples of one scrape: values by name and labels."""

    samples: tuple[tuple[str, frozenset[tuple[str, str]], float], ...]

    def total(self, name: str, **labels: str) -> int:
        """The sum of all series of that name with these labels."""
        wanted = set(labels.items())
        return int(sum(value for found, has, value in self.samples if found == name and wanted <= has))


@dataclass(slots=True)
class Watch:
    """A proxy with this process id, whose control API is at ``control``."""

    pid: int
    control: str
    seen: list[tuple[float, int]] = field(default_factory=list)
    """Resident memory in bytes by monotonic seconds."""

    @property
    def rss_bytes(self) -> int:
        """Resident memory now."""
        return int(self._read("statm").split()[1]) * resource.getpagesize()

    def look(self) -> None:
        """Remember how much memory it has."""
        self.seen.append((time.monotonic(), self.rss_bytes))

    async def scrape(self) -> Scrape:
        """Its metrics. Raises BenchmarkFailed when it does not answer."""
        try:
            async with (
                aiohttp.ClientSession(headers={"Connection": "close"}) as session,
                session.get(f"{self.control}/metrics/prometheus", raise_for_status=True) as answer,
            ):
                text = await answer.text()
        except (aiohttp.ClientError, OSError) as error:
            raise BenchmarkFailed(
                f"the proxy's metrics cannot be read: {str(error) or type(error).__name__}"
            ) from error
        return Scrape(
            tuple(
                (sample.name, frozenset(sample.labels.items()), sample.value)
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            )
        )

    async def figures(self) -> Figures:
        """All of it, now."""
        scrape = await self.scrape()
        return Figures(
            at_s=time.monotonic(),
            rss_bytes=self.rss_bytes,
            files=scrape.total("process_open_fds"),
            tasks=scrape.total("chaosproxy_tasks"),
            timers=scrape.total("chaosproxy_timers"),
            open_exchanges=scrape.total("chaosproxy_open_exchanges"),
            open_connections=scrape.total("chaosproxy_open_connections"),
        )

    def _read(self, name: str) -> str:
        try:
            return Path(f"/proc/{self.pid}/{name}").read_text(encoding="ascii")
        except OSError as error:
            raise BenchmarkFailed("the proxy has ended") from error


def slope_mb(seen: Sequence[tuple[float, int]], after_s: float, per_s: float = 600.0) -> float | None:
    """How much memory grows, in MB per ``per_s`` seconds, by least squares over what was seen ``after_s`` the first.

    None with less than a minute of that.
    """
    late = [(at_s, rss) for at_s, rss in seen if at_s - seen[0][0] >= after_s]
    if len(late) < 3 or late[-1][0] - late[0][0] < 60:
        return None
    times, sizes = zip(*late, strict=True)
    return linear_regression(times, sizes).slope * per_s / MB
