"""The frame of a journal: when it began and ended, what was applied when, how much is in it.

It is found in a first, cheap reading, so that the second one knows its windows and how much to sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from chaosproxy.journal.reading import Journal
from chaosproxy.journal.records import AnyRecord, FaultEdge, Mark, Opened, Run, from_line
from chaosproxy.journal.traffic import Lag
from chaosproxy.steady_state.timeline import Spell, timeline_of

BULK = frozenset({"call", "sent", "exchange", "connection", "hit", "probe"})
"""Records of which there are as many as there is traffic; the others are few."""


class Head(msgspec.Struct):
    """The type and the times of any record; the rest of the line is skipped."""

    type: str
    at: float | None = None
    began_at: float | None = None
    intended_at: float | None = None
    end_at: float | None = None
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """Times are seconds of the journal's clock. ``frame``: all records that are not bulk, but for lags."""

    frame: tuple[AnyRecord, ...]
    counts: Mapping[str, int]
    lags: Mapping[tuple[str, str], float]
    """The worst p99 of any second, by (what, process)."""
    first_at: float
    last_at: float
    dropped: int = 0
    spells: Mapping[str, Spell] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)

    @property
    def origin(self) -> float:
        """When t is 0 on the page: the end of the warm-up, or the first moment of a journal without one."""
        return self.marks.get("origin", self.first_at)

    @property
    def run(self) -> Run | None:
        """What was run; None for a journal of serve."""
        return next((record for record in self.frame if isinstance(record, Run)), None)

    @property
    def watches(self) -> bool:
        """Whether the calls are what others sent, so that they have to be made of the whole journal."""
        return self.run is not None and self.run.watched is not None

    @property
    def opened(self) -> Opened | None:
        """The first process that wrote."""
        return next((record for record in self.frame if isinstance(record, Opened)), None)

    @property
    def edges(self) -> tuple[FaultEdge, ...]:
        """Edges of faults, in the order of time."""
        return tuple(record for record in self.frame if isinstance(record, FaultEdge))


def outline_of_lines(lines: Iterable[bytes]) -> Outline:
    """Of a file. What is no journal is said by the second reading; here it is passed over."""
    return _outline(_heads(lines))


def outline_of(journal: Journal) -> Outline:
    """Of a journal in memory."""
    return _outline((_head(record), record) for record in journal.records)


def _heads(lines: Iterable[bytes]) -> Iterator[tuple[Head, AnyRecord | None]]:
    decode = msgspec.json.Decoder(Head).decode
    for line in lines:
        try:
            head = decode(line)
            yield head, None if head.type in BULK else from_line(line)
        except ValueError:  # a torn or damaged line; pydantic's and msgspec's errors are both
            continue


def _head(record: AnyRecord) -> Head:
    names = [name for name in Head.__struct_fields__ if hasattr(record, name)]
    return Head(**{name: getattr(record, name) for name in names})


def _outline(heads: Iterable[tuple[Head, AnyRecord | None]]) -> Outline:
    frame: list[AnyRecord] = []
    counts: Counter[str] = Counter()
    lags: dict[tuple[str, str], float] = {}
    first_at, last_at, dropped = float("inf"), 0.0, 0
    for head, record in heads:
        counts[head.type] += 1
        dropped += head.dropped
        if isinstance(record, Lag):
            key = (record.what, record.process)
            lags[key] = max(lags.get(key, 0.0), record.p99_s)
        elif record is not None and head.type not in BULK:
            frame.append(record)
        if (begun := head.began_at or head.intended_at or head.at) and head.type != "lag":
            first_at, last_at = min(first_at, begun), max(last_at, head.end_at or head.at or begun)
    timeline = timeline_of(frame, 0.0)
    starts = [record.at for record in frame if isinstance(record, Mark) and record.name == "warmup"]
    began = min([first_at, *starts])
    return Outline(
        tuple(frame),
        counts,
        lags,
        began if last_at else 0.0,
        last_at,
        dropped,
        timeline.spells,
        timeline.marks,
    )
