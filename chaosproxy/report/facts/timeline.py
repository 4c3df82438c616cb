"""Part 2: everything that happened, over one axis of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaosproxy.report.facts.outline import Outline
from chaosproxy.report.facts.phases import server_of
from chaosproxy.report.facts.reservoir import Reservoir, quantile
from chaosproxy.steady_state.history import Story
from chaosproxy.steady_state.outcome import Outcome

POINTS_MAX = 10_000
"""Calls that are drawn, each as a point; of more calls a sample is."""
_GOOD_MAX, _BAD_MAX = 6_000, 4_000
"""Parts of POINTS_MAX, when not all fit: calls with outcome ok and the others are sampled apart."""
BUCKETS_MAX = 160
"""Columns of a curve."""
_CALLS_PER_BUCKET = 6
_BUCKET_SAMPLES_MAX = 1_000
_WIDTHS_S = (0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)

Point = tuple[float, float, str, str, str]
"""When it was to be sent (since t = 0), how long it took, in seconds; its outcome, its id, who answered."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Values per column; ``at`` is where a column begins, in seconds since t = 0, and ``width_s`` its width.

    ``served`` are calls per second by who answered them; ``in_flight`` is at the column's begin. None: no value.
    """

    at: Sequence[float]
    width_s: float
    success: Sequence[float | None]
    ttft_p50: Sequence[float | None]
    ttft_p99: Sequence[float | None]
    served: Mapping[str, Sequence[float]]
    in_flight: Sequence[int]


@dataclass(frozen=True, slots=True)
class Timeline:
    """``calls`` is how many calls there were, of which ``points`` are drawn."""

    from_s: float
    to_s: float
    points: Sequence[Point]
    calls: int
    curves: Curves


class TimelineCounter:
    """Gathers points and columns."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        length_s = max(outline.last_at - outline.first_at, 1e-3)
        calls = outline.counts.get("call", 0)
        self._width_s = _width(length_s, calls)
        self._buckets = [_Bucket() for _ in range(int(length_s / self._width_s) + 1)]
        everyone = calls <= POINTS_MAX
        self._good: Reservoir[Point] = Reservoir(POINTS_MAX if everyone else _GOOD_MAX)
        self._bad: Reservoir[Point] = Reservoir(POINTS_MAX if everyone else _BAD_MAX)
        self._begun = [0] * (len(self._buckets) + 1)

    def feed(self, story: Story) -> None:
        """One call."""
        call, outline = story.call, self._outline
        end_at = outline.last_at if call.end_at is None else call.end_at
        served = server_of(story)
        point = (
            call.intended_at - outline.origin,
            max(end_at - call.intended_at, 0.0),
            story.outcome.value,
            call.id,
            served,
        )
        (self._good if story.outcome is Outcome.OK else self._bad).add(point)
        bucket = self._buckets[self._index(call.intended_at)]
        bucket.calls += 1
        bucket.ok += story.outcome is Outcome.OK
        bucket.served[served] += 1
        if call.first_content_at is not None:
            bucket.ttft.add(call.first_content_at - call.intended_at)
        self._begun[self._index(story.sent_at) + 1] += 1
        self._begun[self._index(end_at) + 1] -= 1

    def _index(self, at: float) -> int:
        return min(max(int((at - self._outline.first_at) / self._width_s), 0), len(self._buckets) - 1)

    def done(self) -> Timeline:
        """The part."""
        outline, buckets = self._outline, self._buckets
        start_s = outline.first_at - outline.origin
        servers = sorted({name for bucket in buckets for name in bucket.served})
        in_flight, flying = [], 0
        for change in self._begun[: len(buckets)]:
            flying += change
            in_flight.append(flying)
        curves = Curves(
            at=[start_s + index * self._width_s for index in range(len(buckets))],
            width_s=self._width_s,
            success=[bucket.ok / bucket.calls if bucket.calls else None for bucket in buckets],
            ttft_p50=[quantile(bucket.ttft, "p50") for bucket in buckets],
            ttft_p99=[quantile(bucket.ttft, "p99") for bucket in buckets],
            served={name: [bucket.served[name] / self._width_s for bucket in buckets] for name in servers},
            in_flight=in_flight,
        )
        points = sorted([*self._good, *self._bad])
        calls = self._good.seen + self._bad.seen
        return Timeline(start_s, outline.last_at - outline.origin, points, calls, curves)


class _Bucket:
    __slots__ = ("calls", "ok", "served", "ttft")

    def __init__(self) -> None:
        self.calls = 0
        self.ok = 0
        self.served: Counter[str] = Counter()
        self.ttft: Reservoir[float] = Reservoir(_BUCKET_SAMPLES_MAX)


def _width(length_s: float, calls: int) -> float:
    """Wide enough that a column has some calls, and that there are not too many columns."""
    wanted = max(length_s / BUCKETS_MAX, min(_CALLS_PER_BUCKET * length_s / max(calls, 1), length_s / 20))
    return next((width for width in _WIDTHS_S if width >= wanted), length_s)
