"""The typed experiment: every key that this release honours, with its default. Schema and docs derive from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, TypeAdapter

from chaosproxy.errors import BadValue
from chaosproxy.experiment.claims_of import claims_of
from chaosproxy.experiment.entries import (
    AbortEntry,
    ExpectationEntry,
    FaultEntry,
    with_expressions_as,
    with_ids,
)
from chaosproxy.experiment.load_settings import ExternalLoad, LoadSpec
from chaosproxy.experiment.outside import Control, HookEntry, Notify
from chaosproxy.experiment.probes import AnyProbe
from chaosproxy.experiment.rules import rules_of
from chaosproxy.experiment.safety import Safety
from chaosproxy.experiment.section import Name, Section, Title
from chaosproxy.experiment.timeline import Span, planned
from chaosproxy.experiment.topology import System, Topology
from chaosproxy.plan.rule import Rule
from chaosproxy.steady_state.claims import Claims
from chaosproxy.units import Duration


def _measure_of(entry: dict[str, Any]) -> str:
    """``ttft.p99`` of ``ttft.p99 <= 800ms``, ``recovery_time`` of ``recovery_time(part) <= 5s``."""
    text = entry.get("expect", entry.get("when", ""))
    words = text.replace("(", " ").split() if isinstance(text, str) else []
    return words[0] if words else "expectation"


def _type_of(entry: dict[str, Any]) -> str:
    """``stream-truncate`` of ``do: {type: stream.truncate}``."""
    do = entry.get("do")
    kind = do.get("type") if isinstance(do, dict) else getattr(do, "type", None)
    return str(kind).replace(".", "-") if isinstance(kind, str) and kind else "fault"


def name_faults(value: Any) -> Any:
    """Entries of ``faults`` as the file has them, those without an id named after their type."""
    return with_ids(value, _type_of)


def _expectations(value: Any) -> Any:
    return with_ids(with_expressions_as("expect")(value), _measure_of)


def _aborts(value: Any) -> Any:
    return with_ids(with_expressions_as("when")(value), _measure_of)


def _hooks(value: Any) -> Any:
    return with_ids(value, lambda _: "hook")


_OWN_LOADS: TypeAdapter[tuple[LoadSpec, ...]] = TypeAdapter(tuple[LoadSpec, ...])


def _load(value: Any) -> Any:
    """Choose the model by hand, so that messages speak of one kind of load only."""
    if isinstance(value, ExternalLoad) or (isinstance(value, dict) and "external" in value):
        return ExternalLoad.model_validate(value)
    if isinstance(value, list) and any(isinstance(each, dict) and "external" in each for each in value):
        raise BadValue("external traffic is the whole load, beside no other: load: {external: true}")
    if value == []:
        raise BadValue("expected at least one entry, got an empty list")
    return _OWN_LOADS.validate_python(with_ids([value] if isinstance(value, dict) else value, lambda _: "load"))


Expectations: TypeAlias = Annotated[
    tuple[ExpectationEntry, ...],
    BeforeValidator(_expectations, json_schema_input_type=Annotated[list[str | ExpectationEntry], Field(min_length=1)]),
    Field(min_length=1),
]


class Timeline(Section):
    """How long the parts of the run take; t = 0 is the end of the warm-up."""

    warmup: Duration = 2.0
    """Load without measuring, before t = 0."""
    lasts: Annotated[Duration, Field(gt=0)] = 20.0
    """From t = 0 to the end of the load, quiet tail included."""
    quiet_tail: Duration = 0.0
    """The last part of ``lasts``, in which no fault acts any more: the window ``tail``."""

    @property
    def faults_end_s(self) -> float:
        """When the last fault must have healed."""
        return self.lasts - self.quiet_tail


class Gate(Section):
    """What must hold before anything is injected; else the run is inconclusive."""

    window: Annotated[Duration, Field(gt=0)] = 5.0
    """The gate looks at the first so many seconds after the warm-up; no fault may begin earlier."""
    expect: Expectations
    """Expectations over that window."""


class Heal(Section):
    """How the end of all faults is verified."""

    verify: tuple[Literal["gate"], ...] = ("gate",)
    """What must hold again, beside the proxies' word that no fault is active. Without a gate in the file, nothing."""
    within: Annotated[Duration, Field(gt=0)] = 10.0
    """How long that may take."""


class Report(Section):
    """Where the results go. The journal is always written."""

    dir: str = Field(default="out/${run.id}", min_length=1)
    """A folder; ``${run.id}`` is new for each run."""
    formats: tuple[Literal["html", "json", "junit", "markdown"], ...] = ("html", "json", "junit")
    """report.html, report.json, junit.xml and report.md."""
    compare_to: Literal["last-held", "none"] = "last-held"
    """Which other run report.html shows the differences to: the newest one of the same name beside it that held."""


class Experiment(Section):
    """One experiment file."""

    experiment: Literal["v1"]
    """The version of this format."""
    name: Title = "experiment"
    """It names folders too. Default: the file's name."""
    question: str = ""
    """What the run shall answer; the report begins with it."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    """Every random choice derives from it. Default: a random one, printed."""
    vars: dict[Name, str] = Field(default_factory=dict)
    """Text for ``${name}``; `-D name=value` overrides it."""
    systems: dict[Name, System] = Field(default_factory=dict)
    """What the run itself starts and ends."""
    topology: Topology
    """Who talks to whom."""
    load: Annotated[
        tuple[LoadSpec, ...] | ExternalLoad,
        BeforeValidator(
            _load, json_schema_input_type=LoadSpec | Annotated[list[LoadSpec], Field(min_length=1)] | ExternalLoad
        ),
    ] = (LoadSpec(),)
    """The traffic: one entry or a list, or ``{external: true}`` for traffic that is not ours."""
    timeline: Timeline = Timeline()
    """How long everything takes."""
    gate: Gate | None = None
    """What must hold before the first fault."""
    faults: Annotated[tuple[FaultEntry, ...], BeforeValidator(name_faults)] = ()
    """What is broken, when, for whom."""
    probes: tuple[AnyProbe, ...] = ()
    """What the run itself looks at, again and again: ``{id: health, http: "${entry}/health"}``."""
    hypothesis: Expectations
    """What shall hold."""
    abort: Annotated[
        tuple[AbortEntry, ...], BeforeValidator(_aborts, json_schema_input_type=list[str | AbortEntry])
    ] = ()
    """What ends the run early. Default: error_rate > 50% for 5s; ``[]``: nothing but the time limit, which is twice the
    planned duration unless a condition on ``elapsed`` says otherwise."""
    safety: Safety = Safety()
    """Limits that the file sets to itself."""
    control: Control | None = None
    """A cohort without faults, reported beside the other calls."""
    hooks: Annotated[tuple[HookEntry, ...], BeforeValidator(_hooks, json_schema_input_type=list[HookEntry])] = ()
    """Outside actions, such as the restart of a container; they are always undone."""
    notify: tuple[Notify, ...] = ()
    """Who is told of the run, by webhooks."""
    heal: Heal = Heal()
    """How the end is verified."""
    report: Report = Report()
    """Where the results go."""

    def with_seed(self, seed: int) -> Experiment:
        """The same experiment with another seed."""
        return self.model_copy(update={"seed": seed})

    @property
    def loads(self) -> tuple[LoadSpec, ...]:
        """The load that the run makes: none where the traffic is not ours."""
        return () if isinstance(self.load, ExternalLoad) else self.load

    @property
    def external(self) -> ExternalLoad | None:
        """How traffic that is not ours is looked at; None where the run makes its own."""
        return self.load if isinstance(self.load, ExternalLoad) else None

    @property
    def says_when_to_abort(self) -> bool:
        """Whether the file has the key ``abort``, be it empty."""
        return "abort" in self.model_fields_set

    @property
    def planned_s(self) -> float:
        """From the begin of the warm-up to the end of the load."""
        return self.timeline.warmup + self.timeline.lasts

    def spans(self) -> tuple[Span, ...]:
        """When each fault is planned to act, and on which backends."""
        return planned(self)

    def claims(self) -> Claims:
        """What the verdict is about."""
        return claims_of(self)

    def rules(self) -> dict[str, Rule]:
        """Each fault as the proxies get it when its time comes, by its id; a listener is called like its backend."""
        return rules_of(self)
