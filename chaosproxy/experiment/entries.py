"""The entries of ``faults``, ``hypothesis``, ``gate`` and ``abort``, one model each."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from chaosproxy.errors import BadValue
from chaosproxy.experiment.section import FaultId, Name, Section
from chaosproxy.faults import AnyFault
from chaosproxy.plan.rule import Flap, Match, PositiveInt, free_id
from chaosproxy.steady_state import claims
from chaosproxy.steady_state.expression import parse_expression, parse_window
from chaosproxy.units import Duration, Share


def _as_list(value: Any) -> Any:
    if value == "":
        raise BadValue("is empty")
    return [value] if isinstance(value, str) else value


def _edge(text: str) -> str:
    fault_id, _, edge = text.rpartition(".")
    if not fault_id or edge not in ("applied", "healed"):
        raise BadValue(f"expected the id of a fault with .applied or .healed, such as part.healed, got {text!r}")
    return text


def _read(parse: Any) -> Any:
    def read(value: Any) -> Any:
        if isinstance(value, dict | list):
            raise BadValue("expected text")
        return parse(value) if isinstance(value, str) else value

    return read


_TEXT = PlainSerializer(lambda value: value.text, when_used="json")

ExpressionText: TypeAlias = Annotated[
    claims.Expression,
    BeforeValidator(_read(parse_expression)),
    _TEXT,
    WithJsonSchema(
        {"type": "string", "examples": ["success >= 95%", "ttft.p99 <= 800ms", "failover_time(part) <= 2s"]}
    ),
]
"""``measure[.aggregate][(argument)] operator value``."""

WindowText: TypeAlias = Annotated[
    claims.Window,
    BeforeValidator(_read(parse_window)),
    _TEXT,
    WithJsonSchema({"type": "string", "examples": ["all", "steady", "tail", "part", "part.applied+2s..part.healed"]}),
]
"""A span of the run."""

Targets: TypeAlias = Annotated[
    tuple[Name, ...],
    BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
    Field(min_length=1),
]


class FaultEntry(Section):
    """One fault: what, where, when, for whom, and how often it must have met traffic."""

    id: FaultId
    """Its name in windows, measures and reports. Default: its type, with dashes."""
    target: Targets
    """A backend, a list of them, or a role."""
    do: AnyFault
    """The fault: ``{type: NAME, setting: value}``; `chaosproxy faults` lists them."""
    at: Duration | None = None
    """When it begins; t = 0 is the end of the warm-up."""
    after: Annotated[str, AfterValidator(_edge)] | None = None
    """Instead of ``at``: another fault's ``ID.applied`` or ``ID.healed``."""
    delay: Duration = 0.0
    """How long after ``after``."""
    lasts: Annotated[Duration, Field(gt=0)] | None = None
    """How long it acts; without it, to the end of the timeline (its quiet tail excluded)."""
    match: Match = Match()
    """Which requests it is for; without it, all."""
    share: Share = 1.0
    """What part of the matching requests is hit; chosen by seed, so a replay hits the same ones."""
    flap: Flap | None = None
    """Down for a while (the fault acts), up for a while, again and again."""
    streams: Literal["new", "all"] = "new"
    """``all``: also streams that are open when it begins."""
    min_hits: Annotated[int, Field(ge=0)] = 1
    """With fewer hits the run is inconclusive: the fault did not meet its traffic."""
    max_hits: PositiveInt | None = None
    """After so many hits it does nothing more."""

    @model_validator(mode="after")
    def _one_begin(self) -> FaultEntry:
        if (self.at is None) == (self.after is None):
            raise BadValue("write when the fault begins: either at, or after (and delay)")
        if self.delay and self.after is None:
            raise BadValue("delay counts from after; with at, add it there")
        if self.max_hits is not None and self.min_hits > self.max_hits:
            raise BadValue(f"min_hits {self.min_hits} can never be reached with max_hits {self.max_hits}")
        return self

    @property
    def follows(self) -> str | None:
        """The id of the fault that it waits for."""
        return None if self.after is None else self.after.rpartition(".")[0]


class Sustained(Section):
    """How long a state must last before it counts as reached."""

    success: Share | None = None
    """failover_time: this part of the calls succeeds in the whole span."""
    share_of_baseline: Share | None = None
    """recovery_time: the target serves this part of what it served before the first fault."""
    for_: Annotated[Duration, Field(gt=0, alias="for")]
    """Length of the span."""


class ExpectationEntry(Section):
    """What the run claims: an expression, over which part of the run and for which calls."""

    id: str = Field(min_length=1)
    """Its name in reports. Default: its measure."""
    expect: ExpressionText
    """``measure[.aggregate][(argument)] operator value``."""
    over: Annotated[
        tuple[WindowText, ...],
        BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
        Field(min_length=1),
    ] = (parse_window("all"),)
    """One window or several; it must hold in each of them."""
    cohort: Literal["new", "in_flight", "control"] | None = None
    """``in_flight``: only calls that were open when a fault began; ``new``: only the others; ``control``: only those of
    the control cohort, which none of the others looks at."""
    load: str | None = Field(default=None, min_length=1)
    """Only calls of this load, by its id. Default: of all loads."""
    of: Literal["all", "completed"] = "all"
    """``completed``: only calls that ended well."""
    sustained: Sustained | None = None
    """For failover_time and recovery_time: how long the good state must last."""
    min_samples: PositiveInt | None = None
    """With fewer samples it is inconclusive. Default: 10 / (1 - q) for the percentile q, else 1."""


class AbortEntry(Section):
    """A condition that ends the run early: all faults are healed first."""

    id: str = Field(min_length=1)
    """Its name in reports. Default: its measure."""
    when: ExpressionText
    """An expression; ``elapsed`` is the time since the warm-up began."""
    for_: Annotated[Duration, Field(alias="for")] = 0.0
    """How long it must hold without a break."""
    min_samples: PositiveInt = 1
    """Fewer calls in the last second(s) do not count."""


def with_expressions_as(key: str) -> Any:
    """Lets an entry be a plain string: ``- success >= 95%`` means ``- {KEY: success >= 95%}``."""

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{key: item} if isinstance(item, str) else item for item in value]

    return read


def with_ids(value: Any, name_of: Any) -> Any:
    """Give each entry that has no id one of its own: ``name_of(entry)``, or with -2, -3 ... behind it."""
    if not isinstance(value, list):
        return value
    taken = {item["id"] for item in value if isinstance(item, dict) and isinstance(item.get("id"), str)}
    named: list[Any] = []
    for item in value:
        if isinstance(item, dict) and "id" not in item:
            name = free_id(name_of(item), taken)
            taken.add(name)
            named.append({"id": name, **item})
        else:
            named.append(item)
    return named
