"""Keeps a run within the limits of ``safety`` while it goes on: hours, and what its upstreams are asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from chaosproxy.errors import UserError
from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.steady_state.spending import Spending
from chaosproxy.units import format_duration, format_rate

if TYPE_CHECKING:
    from chaosproxy.experiment.model import Experiment
    from chaosproxy.experiment.safety import Safety

RATE_OVER_S = 5.0
"""``max_upstream_rate`` is an average over so long."""


def wall_clock() -> datetime:
    """The time of day of this machine, with its zone."""
    return datetime.now().astimezone()  # noqa: TID251 - hours are those of a clock on the wall


class Guard:
    """Watches one run. ``wall`` gives the time of day; requests at ``front`` are calls, and no upstream's."""

    def __init__(self, safety: Safety, wall: Callable[[], datetime] = wall_clock, *, front: str | None = None) -> None:
        self._safety = safety
        self._wall = wall
        self._front = front
        self._spent = Spending(safety.price_list())
        self._asked_at: list[float] = []
        self._most = 0

    def notice(self, record: AnyRecord) -> None:
        """Count what an upstream was asked for."""
        if isinstance(record, ExchangeRecord) and record.asked_at is not None and record.listener != self._front:
            self._spent.add(record)
            insort(self._asked_at, record.asked_at)
            self._most = max(self._most, *self._around(record.asked_at))

    def breach(self) -> str | None:
        """The limit that is exceeded, and by what."""
        return next(self._breaches(), None)

    def _around(self, asked_at: float) -> Iterator[int]:
        """How many were asked in each span of RATE_OVER_S that ends with a request and holds this one."""
        first = bisect_left(self._asked_at, asked_at)
        for index in range(first, bisect_right(self._asked_at, asked_at + RATE_OVER_S)):
            yield index + 1 - bisect_right(self._asked_at, self._asked_at[index] - RATE_OVER_S)

    def _breaches(self) -> Iterator[str]:
        safety, spent = self._safety, self._spent
        if safety.hours is not None and not safety.hours.hold(_in_zone(self._wall(), utc=safety.hours.utc)):
            yield f"safety.hours: {safety.hours.text} are over"
        if safety.max_upstream_requests is not None and spent.requests > safety.max_upstream_requests:
            yield _more("max_upstream_requests", f"{spent.requests} requests", str(safety.max_upstream_requests))
        if safety.max_upstream_rate is not None and self._most > safety.max_upstream_rate * RATE_OVER_S:
            over = f"{format_rate(self._most / RATE_OVER_S)} over {format_duration(RATE_OVER_S)}"
            yield _more("max_upstream_rate", over, format_rate(safety.max_upstream_rate))
        if safety.max_upstream_tokens is not None and spent.tokens > safety.max_upstream_tokens:
            estimated = f" (estimated for {spent.estimated} of {spent.requests} requests)" if spent.estimated else ""
            yield _more("max_upstream_tokens", f"{spent.tokens} tokens{estimated}", str(safety.max_upstream_tokens))
        if safety.max_cost is not None and spent.money > safety.max_cost:
            yield _more("max_cost", f"a cost of {spent.money:.4g}", f"{safety.max_cost:g}")
        if safety.max_cost is not None and spent.unpriced:
            yield f"safety.max_cost: the cost is not known, {spent.doubt}"


def _more(limit: str, seen: str, allowed: str) -> str:
    return f"safety.{limit}: {seen} at the upstreams, allowed are {allowed}"


def _in_zone(now: datetime, *, utc: bool) -> datetime:
    return now.astimezone(UTC) if utc else now


def refuse_outside_hours(experiment: Experiment, now: datetime) -> None:
    """Raises UserError when the run would not end within ``safety.hours``."""
    hours = experiment.safety.hours
    if hours is None:
        return
    now = _in_zone(now, utc=hours.utc)
    until = now + timedelta(seconds=experiment.planned_s)
    if not hours.hold(now):
        raise UserError(f"safety.hours: runs may go on at {hours.text}, and it is {now:%a %H:%M}; nothing was started")
    if not hours.hold(until):
        words = f"and this one would end at {until:%H:%M:%S}"
        raise UserError(f"safety.hours: runs may go on at {hours.text}, {words}; nothing was started")
