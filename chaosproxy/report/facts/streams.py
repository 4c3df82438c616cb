"""Part 4: what clients were told beside what they really got, the worst streams one by one, and all gaps at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop
from itertools import pairwise
from math import floor, log10
from typing import Literal

from chaosproxy.report.facts.outline import Outline
from chaosproxy.steady_state.history import Story
from chaosproxy.steady_state.outcome import Outcome, classify_text, reference_for

WORST = 20
GAP_COLUMNS_MAX = 120
_GAP_ROWS_PER_DECADE = 4
_TICKS_MAX = 400
TOLD = ("answer", "error", "timeout", "hung", "unfinished")
GOT = ("whole", "cut", "nothing", "changed", "told twice", "another's")
_GOT = {
    Outcome.OK: "whole",
    Outcome.SILENT_TRUNCATED: "cut",
    Outcome.SILENT_EMPTY: "nothing",
    Outcome.SILENT_CORRUPT: "changed",
    Outcome.DUPLICATED: "told twice",
    Outcome.LEAKED: "another's",
}


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One stream. Times are seconds since it should have been sent; ``at_s`` is when that was, since t = 0.

    ``content`` are its content events, ``struck`` when faults hit it and what they did; ``waits`` its silences that
    are longest, as (from, to).
    """

    id: str
    outcome: str
    at_s: float
    content: Sequence[float]
    end: float | None
    struck: Sequence[tuple[float, str]]
    longest: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Gaps:
    """How many gaps between content events fell where: ``counts[row][column]``.

    ``at`` are the columns' begins in seconds since t = 0, ``from_ms`` the rows' lower bounds.
    """

    at: Sequence[float]
    from_ms: Sequence[float]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Streams:
    """``matrix[told][got]`` counts streams; ``flawed`` those that were passed off as whole and are not."""

    streams: int
    flawed: int
    matrix: Mapping[str, Mapping[str, int]]
    worst: Sequence[Waterfall]
    gaps: Gaps


class StreamCounter:
    """Gathers them."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._matrix: Counter[tuple[str, str]] = Counter()
        self._worst: list[tuple[tuple[int, float], str, Story]] = []
        self._column_s = max((outline.last_at - outline.first_at) / GAP_COLUMNS_MAX, 0.1)
        self._gaps: defaultdict[int, Counter[int]] = defaultdict(Counter)

    def feed(self, story: Story) -> None:
        """One call; those that are no streams do not count."""
        call = story.call
        if not call.stream:
            return
        self._matrix[_told(story), _got(story)] += 1
        entry = ((_severity(story), _longest_s(story, self._outline.last_at)), call.id, story)
        if len(self._worst) < WORST:
            heappush(self._worst, entry)
        elif entry[:2] > self._worst[0][:2]:
            heappushpop(self._worst, entry)
        if call.first_content_at is not None:
            column = int((call.first_content_at - self._outline.first_at) / self._column_s)
            self._gaps[column].update(_rows(call.gaps_ms))

    def stories(self) -> list[Story]:
        """The worst streams, the very worst first."""
        return [story for _, _, story in sorted(self._worst, key=lambda entry: entry[:2], reverse=True)]

    def done(self) -> Streams:
        """The part."""
        told = [name for name in TOLD if any(key[0] == name for key in self._matrix)]
        return Streams(
            streams=self._matrix.total(),
            flawed=sum(count for (said, got), count in self._matrix.items() if said == "answer" and got != "whole"),
            matrix={name: {got: self._matrix[name, got] for got in GOT} for name in told},
            worst=[_waterfall(story, self._outline) for story in self.stories()],
            gaps=self._heat_map(),
        )

    def _heat_map(self) -> Gaps:
        if not self._gaps:
            return Gaps((), (), ())
        first = self._outline.first_at - self._outline.origin
        rows = range(max((row for counts in self._gaps.values() for row in counts), default=0) + 1)
        columns = range(max(self._gaps) + 1)
        return Gaps(
            [first + column * self._column_s for column in columns],
            [10 ** (row / _GAP_ROWS_PER_DECADE) for row in rows],
            [[self._gaps[column][row] for column in columns] for row in rows],
        )


def _row(gap_ms: int) -> int:
    return floor(log10(max(gap_ms, 1)) * _GAP_ROWS_PER_DECADE)


_ROWS = [_row(gap_ms) for gap_ms in range(10_000)]
"""Those of usual gaps, because there may be millions of them."""


def _rows(gaps_ms: Sequence[int]) -> Iterator[int]:
    usual = max(gaps_ms, default=0) < len(_ROWS)
    return map(_ROWS.__getitem__, gaps_ms) if usual else map(_row, gaps_ms)


def _told(story: Story) -> str:
    return "answer" if story.answered else story.outcome.value


def _got(story: Story) -> str:
    """What its text is, whatever its client was told."""
    if story.answered:
        return _GOT[story.outcome]
    call = story.call
    if not call.text.chars and not call.chunks:
        return "nothing"
    oracle: Literal["lab", "upstream"] = "upstream" if call.expected is None else "lab"
    return _GOT[classify_text(call, reference_for(call, story.source, oracle))]


def _severity(story: Story) -> int:
    if story.answered:
        return 0 if story.outcome is Outcome.OK else 3
    return 1 if story.outcome is Outcome.ERROR else 2


def _content_times(story: Story) -> list[float]:
    call = story.call
    if call.first_content_at is None:
        return []
    times = [call.first_content_at - call.intended_at]
    for gap in call.gaps_ms:
        times.append(times[-1] + gap / 1000)
    return times


def _longest_s(story: Story, last_at: float) -> float:
    """The longest silence that its client sat through."""
    call = story.call
    end_at = last_at if call.end_at is None else call.end_at
    if call.first_content_at is None:
        return end_at - call.intended_at
    gaps_s = max(call.gaps_ms, default=0) / 1000
    last_content_at = call.last_content_at or call.first_content_at
    return max(call.first_content_at - call.intended_at, gaps_s, end_at - last_content_at)


def _longest(story: Story, last_at: float) -> tuple[float, float, float]:
    """The same, with its begin and its end: its length, from, to."""
    call = story.call
    end = (last_at if call.end_at is None else call.end_at) - call.intended_at
    moments = [0.0, *_content_times(story), max(end, 0.0)]
    return max((after - before, before, after) for before, after in pairwise(moments))


def _waterfall(story: Story, outline: Outline) -> Waterfall:
    call, begin = story.call, story.call.intended_at
    _, longest_from, longest_to = _longest(story, outline.last_at)
    return Waterfall(
        id=call.id,
        outcome=story.outcome.value,
        at_s=begin - outline.origin,
        content=_content_times(story)[:_TICKS_MAX],
        end=None if call.end_at is None else call.end_at - begin,
        struck=[(hit.at - begin, f"{hit.fault}: {hit.detail}") for hit in story.hits],
        longest=(longest_from, longest_to),
    )
