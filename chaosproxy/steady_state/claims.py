"""What an experiment claims, as plain values: the input of ``judge`` beside the journal.

The experiment room builds these from the file; nothing here knows YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from chaosproxy.journal.records import Watched

if TYPE_CHECKING:
    from chaosproxy.steady_state.cohorts import ControlCohort
    from chaosproxy.steady_state.spending import Prices


@dataclass(frozen=True, slots=True)
class Expression:
    """``measure[.aggregate][(argument)] operator value``.

    ``value`` is in base units: seconds, shares 0..1, counts, per second. ``aggregate`` is filled in when the measure
    has a default one.
    """

    text: str
    measure: str
    aggregate: str | None
    argument: str | None
    operator: str
    value: float


@dataclass(frozen=True, slots=True)
class Moment:
    """A mark and an offset.

    ``mark``: start (of the warm-up), origin, injection (the first fault's begin), tail (the quiet tail's begin), over
    (end of the timeline), drained, or a fault's ``ID.applied`` and ``ID.healed``.
    """

    mark: str
    offset_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` (included) to ``end`` (excluded); calls belong to it by their intended send time."""

    text: str
    start: Moment
    end: Moment


@dataclass(frozen=True, slots=True)
class Sustained:
    """How long a state must last to count, over a span of ``for_s``.

    Failover: success >= ``success``. Recovery: the targets' part of the answers >= ``share_of_baseline`` times their
    part before the first fault.
    """

    for_s: float
    success: float | None = None
    share_of_baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line of a hypothesis or gate.

    ``cohort`` None: all calls but those of the control cohort. ``of`` completed: only calls with outcome ok.
    """

    id: str
    expect: Expression
    over: tuple[Window, ...]
    cohort: Literal["new", "in_flight", "control"] | None = None
    of: Literal["all", "completed"] = "all"
    sustained: Sustained | None = None
    min_samples: int | None = None
    """None: what the measure needs (percentiles 10 / (1 - q), else 1)."""
    load: str | None = None
    """Only calls of this load."""

    @property
    def text(self) -> str:
        """What is claimed, and of which load, for people."""
        return self.expect.text if self.load is None else f"{self.expect.text} (load {self.load})"


@dataclass(frozen=True, slots=True)
class Abort:
    """A condition that ends the run when it holds for ``for_s``. ``elapsed`` is a measure of its own, in seconds."""

    when: Expression
    for_s: float = 0.0
    min_samples: int = 1


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault as planned. ``at_s`` is None while it depends on another fault's real time."""

    id: str
    type: str
    targets: tuple[str, ...]
    min_hits: int
    at_s: float | None
    lasts_s: float | None
    counts_hits: bool = True
    """False when its effect leaves no trace at the proxy (a refused connection)."""
    follows: Moment | None = None
    """When it is to begin, where that hangs on another fault's real time."""
    why_unknown: str = ""
    """Why nobody can know whom it hits, where that is so."""


@dataclass(frozen=True, slots=True)
class PlannedProbe:
    """A probe of the file, for the report."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Everything that the verdict needs to know of the experiment file."""

    name: str
    question: str
    hypothesis: tuple[Expectation, ...]
    gate: tuple[Expectation, ...]
    gate_window_s: float
    aborts: tuple[Abort, ...]
    faults: tuple[PlannedFault, ...]
    backends: tuple[str, ...]
    oracle: Literal["lab", "upstream", "none"]
    """lab: a call's record carries the expected text; upstream: what the answering upstream sent before our faults."""
    warmup_s: float
    lasts_s: float
    quiet_tail_s: float
    probes: tuple[PlannedProbe, ...] = ()
    entry: str | None = None
    """The listener that clients call themselves, if nothing stands before it."""
    leads_on: bool = False
    """Whether what stands behind ``entry`` is seen to call the other backends, though the load is ours."""
    external: bool = False
    """The traffic is not ours: calls are the requests at ``entry``; without one nobody sees any call."""
    client_timeout_s: float | None = None
    """After how long without an answer the clients of external traffic give up, if somebody has said that."""
    control: ControlCohort | None = None
    """Calls that no fault is for."""
    answered_by: Literal["mock", "live"] | None = None
    """mock: all backends are the lab's, and of this run; live: any other; None: nobody said."""
    prices: Prices | None = None
    """What tokens cost; None: nobody said."""
    watches_cost: bool = False
    """Whether the file says anything about what the run may cost, so that people want to read what it did."""
    lag_bound_s: float = 0.25
    """A load or proxy whose lag exceeds it (p99 of a second) makes measures of time in that second unknowable."""

    @property
    def front(self) -> str | None:
        """The listener before the system under test, if others stand behind that: its requests are calls, and nothing
        that the system asks for.
        """
        return self.entry if (self.external or self.leads_on) and len(self.backends) > 1 else None

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The backends without the front."""
        return tuple(name for name in self.backends if name != self.front)


def watched_by(claims: Claims) -> Watched | None:
    """What a journal has to say of a run that looks at traffic of others; None of any other run."""
    if not claims.external:
        return None
    return Watched(
        entry=claims.entry,
        backends=list(claims.backends),
        oracle="none" if claims.oracle == "none" else "upstream",
        client_timeout_s=claims.client_timeout_s,
    )


def claims_of_watched(watched: Watched) -> Claims:
    """As much of the claims as tells the calls of such a journal; nothing is expected of them."""
    return Claims(
        name="",
        question="",
        hypothesis=(),
        gate=(),
        gate_window_s=0.0,
        aborts=(),
        faults=(),
        backends=tuple(watched.backends),
        oracle=watched.oracle,
        warmup_s=0.0,
        lasts_s=0.0,
        quiet_tail_s=0.0,
        entry=watched.entry,
        external=True,
        client_timeout_s=watched.client_timeout_s,
    )
