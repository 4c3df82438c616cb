"""``safety``: how far a run may go, and what it may cost; and the list of prices that says what a token is worth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from chaosproxy.errors import BadValue
from chaosproxy.experiment.section import Section
from chaosproxy.steady_state import spending
from chaosproxy.units import Duration, Rate, Share

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS_PATTERN = r"^([a-z]{3}(-[a-z]{3})?\s+)?\d{2}:\d{2}-\d{2}:\d{2}(\s+UTC)?$"
_HOURS = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+)?(?P<start>\d{2}:\d{2})-(?P<end>\d{2}:\d{2})(?P<utc>\s+UTC)?"
)


UPSTREAM_LIMITS = ("max_upstream_requests", "max_upstream_rate", "max_upstream_tokens", "max_cost")
"""What must be said where an upstream is not on this machine."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Times of the week, such as ``mon-fri 09:00-17:00``: local time, unless UTC stands behind it.

    ``days`` are those on which they begin, 0 is Monday; an ``end`` before ``start`` is on the next day.
    """

    text: str
    days: frozenset[int]
    start: time
    end: time
    utc: bool

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Raises BadValue."""
        match = _HOURS.fullmatch(text)
        if match is None:
            raise BadValue(f"expected hours such as 09:00-17:00 or mon-fri 09:00-17:00 UTC, got {text!r}")
        start, end = _time(match["start"]), _time(match["end"])
        if start == end:
            raise BadValue(f"these hours are empty: {text!r}")
        first, last = _day(match["first"] or "mon"), _day(match["last"] or match["first"] or "sun")
        days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
        return cls(text, days, start, end, match["utc"] is not None)

    def hold(self, now: datetime) -> bool:
        """Whether ``now``, in the zone that they are meant in, is one of them."""
        at = now.time()
        if self.start < self.end:
            return now.weekday() in self.days and self.start <= at < self.end
        began = now if at >= self.start else now - timedelta(days=1)
        return began.weekday() in self.days and (at >= self.start or at < self.end)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise BadValue(f"there is no time {text}; a day goes from 00:00 to 23:59") from None


def _day(text: str) -> int:
    if text not in _DAYS:
        raise BadValue(f"expected a day ({', '.join(_DAYS)}), got {text!r}")
    return _DAYS.index(text)


def _hours(value: Any) -> Any:
    if isinstance(value, Hours):
        return value
    if not isinstance(value, str):
        raise BadValue("expected hours such as 09:00-17:00 or mon-fri 09:00-17:00 UTC")
    return Hours.parse(value)


def _by_model(value: Any) -> Any:
    if isinstance(value, str):
        raise BadValue("the price file could not be read here; write the prices themselves: {MODEL: {input, output}}")
    return value


HoursText: TypeAlias = Annotated[
    Hours,
    BeforeValidator(_hours),
    PlainSerializer(lambda hours: hours.text, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _HOURS_PATTERN, "examples": ["mon-fri 09:00-17:00"]}),
]
"""When a run may go on."""


class Price(Section):
    """Of a million tokens."""

    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Of the prompt."""
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Of the answer."""


PriceList: TypeAlias = Annotated[
    dict[str, Price],
    BeforeValidator(_by_model, json_schema_input_type=str | dict[str, Price]),
    Field(min_length=1),
]
"""Prices by globs of models; in a file of their own, or in place."""


class Safety(Section):
    """Limits that the file sets to itself. They are checked before the run, and those that can be are while it runs."""

    allow_hosts: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Globs of the hosts that the file may speak to. Default: any."""
    max_share: Share = 1.0
    """No fault may hit a larger part of the requests."""
    max_lasts: Annotated[Duration, Field(gt=0)] | None = None
    """No fault may last longer. Default: any."""
    forbid: tuple[str, ...] = ()
    """Globs of fault types that the file may not use."""
    lease: Annotated[Duration, Field(ge=1, le=60)] = 5.0
    """How long a proxy keeps faults alive when it hears nothing from the run; 1s to 60s."""
    hours: HoursText | None = None
    """When a run may go on: ``09:00-17:00``, ``mon-fri 09:00-17:00``, with UTC behind it or in local time. A run that
    would not end within them is refused, one that overruns is aborted. Default: always."""
    max_upstream_requests: Annotated[int, Field(ge=1)] | None = None
    """So many requests may reach the upstreams, retries included; one more, and the run is aborted. Default: any."""
    max_upstream_rate: Rate | None = None
    """So many requests per second may reach the upstreams, on average over 5s. Default: any."""
    max_upstream_tokens: Annotated[int, Field(ge=1)] | None = None
    """So many tokens the upstreams may read and write together. Default: any."""
    max_cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """So much the run may cost, in the money of ``prices``. Default: any."""
    prices: PriceList | None = None
    """What a million tokens cost, by globs of models, the first that fits: ``{"gpt-4*": {input: 2.50, output: 10}}``;
    or the path, from the experiment's own folder, of a YAML or JSON file with that under its key ``prices``."""

    @property
    def lacking_limits(self) -> list[str]:
        """Which of UPSTREAM_LIMITS are not said."""
        return [name for name in UPSTREAM_LIMITS if getattr(self, name) is None]

    @property
    def limits_upstreams(self) -> bool:
        """Whether it says anything about what upstreams may be asked for."""
        return any(getattr(self, name) is not None for name in UPSTREAM_LIMITS)

    def price_list(self) -> spending.Prices | None:
        """As plain values."""
        if self.prices is None:
            return None
        return spending.Prices({glob: spending.Price(p.input, p.output) for glob, p in self.prices.items()})
