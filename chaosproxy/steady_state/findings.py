"""What a verdict is made of: the schema of ``report.json``. Times are seconds after t = 0 of the run."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chaosproxy.steady_state.observation import State


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Model):
    """One sentence that names a cause. ``about``: ids of expectations or faults; ``calls``: what it is drawn from."""

    kind: Literal["error", "deviated", "inconclusive", "note"]
    about: tuple[str, ...] = ()
    sentence: str
    calls: tuple[str, ...] = ()


class Judged(_Model):
    """One expectation in one window.

    ``value`` is in base units and None when there is no single number; ``observed`` is for people. ``margin`` is
    positive on the good side. ``against`` counts the calls that speak against it, ``first_against`` is the earliest.
    """

    id: str
    text: str
    window: str
    cohort: str | None = None
    state: State
    observed: str
    value: float | None = None
    bound: float
    margin: float | None = None
    samples: int = 0
    from_s: float | None = None
    to_s: float | None = None
    why: str = ""
    control: str | None = None
    """What the same measure was in the control cohort, for people; None: it has no meaning there, or there is none."""
    control_value: float | None = None
    against: int = 0
    first_against: str | None = None


class FaultAccount(_Model):
    """One fault: as planned and as it was. ``misses`` counts the reasons for which requests were not hit.

    ``hits`` are all requests and connections that it met, ``load_hits`` those that ``min_hits`` is about: requests of
    the load's calls where these carry tags, and connections without a request.
    """

    id: str
    type: str
    targets: tuple[str, ...]
    planned_at_s: float | None
    planned_lasts_s: float | None
    applied_at_s: float | None
    healed_at_s: float | None
    failover_s: float | None = None
    """From its begin to lasting success, as ``failover_time`` measures it; None: not reached, or not known."""
    recovery_s: float | None = None
    """From its end until its targets served again, as ``recovery_time`` measures it; None as above."""
    hits: int
    load_hits: int
    min_hits: int
    misses: dict[str, int] = Field(default_factory=dict)
    enough: bool
    why: str = ""


class ProbeAccount(_Model):
    """One probe, over all its runs. ``blind`` runs could not look; ``share_ok`` is of the others, None without any.

    ``last_value`` is in the probe's own unit; ``first_failure`` says when and why.
    """

    id: str
    kind: str
    runs: int
    blind: int = 0
    blind_why: str = ""
    """Of the first of them."""
    share_ok: float | None = None
    last_value: float | None = None
    first_failure: str = ""


class BackendCost(_Model):
    """What the requests at one upstream cost. ``estimated``: how many have tokens that were counted, not reported.

    ``money`` is None without prices; ``unpriced`` are models that cost something, and have no price.
    """

    backend: str
    requests: int
    tokens_in: int
    tokens_out: int
    estimated: int = 0
    money: float | None = None
    unpriced: tuple[str, ...] = ()


class ControlAccount(_Model):
    """The calls of the control cohort; they are not among those of the run."""

    calls: int
    outcomes: dict[str, int] = Field(default_factory=dict)


class HookAccount(_Model):
    """One action outside, over all times that it was done or undone."""

    id: str
    done_at_s: float | None = None
    undone_at_s: float | None = None
    failed: str = ""


class Health(_Model):
    """Whether the measuring itself can be trusted. Lags are the worst p99 of any second, per process, in seconds."""

    lag_bound_s: float
    send_lag_p99_s: dict[str, float] = Field(default_factory=dict)
    loop_lag_p99_s: dict[str, float] = Field(default_factory=dict)
    dropped: int = 0
    """Calls that were never sent, because ``max_in_flight`` was reached."""
    unfinished: int = 0
    torn: bool = False
    lost: tuple[str, ...] = ()
    """Where records were lost."""


class Verdict(_Model):
    """The judgement of one run. ``ended`` is how the run itself ended; ``findings``: the most important one first."""

    verdict: State
    exit_code: int
    headline: str
    ended: Literal["completed", "gate", "aborted", "interrupted", "terminated", "error", "unknown"]
    ended_why: str = ""
    name: str
    question: str
    run_id: str | None = None
    seed: int | None = None
    replay: str | None = None
    gate_held: bool | None = None
    heal_verified: bool | None = None
    findings: tuple[Finding, ...] = ()
    expectations: tuple[Judged, ...] = ()
    faults: tuple[FaultAccount, ...] = ()
    probes: tuple[ProbeAccount, ...] = ()
    calls: int = 0
    outcomes: dict[str, int] = Field(default_factory=dict)
    exchanges: int = 0
    control: ControlAccount | None = None
    hooks: tuple[HookAccount, ...] = ()
    cost: tuple[BackendCost, ...] = ()
    """Per backend, from the first call of the warm-up to the last."""
    watches_cost: bool = False
    """Whether the file says anything about what the run may cost."""
    answered_by: Literal["mock", "live"] | None = None
    """mock: all backends are the lab's, and of this run; live: any other; None: nobody said."""
    health: Health
