"""The open-loop load, as ``load:`` of an experiment file spells it.

Open: when calls are sent does not depend on when earlier ones end, so a stall of the system is sampled as often as
its users would meet it, and latency counts from the moment at which a call was meant to be sent.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from chaosproxy.errors import BadValue
from chaosproxy.experiment.lab_settings import Settings
from chaosproxy.experiment.probe_kinds import HttpExpect
from chaosproxy.units import Duration, Flag, Rate
from chaosproxy.wire.dialects.names import ApiName

DEFAULT_RATE = 5.0
_POOL = re.compile(r"pool:([1-9]\d{0,5})")


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _true(value: Any) -> Any:
    if value not in (True, "true"):
        raise BadValue(f"external is true, or not there at all, got {value!r}")
    return True


class Step(Settings):
    """A stretch of the run with a rate of its own."""

    rate: Rate
    lasts: Annotated[Duration, Field(gt=0)]


class Arrival(Settings):
    """When calls are meant to be sent."""

    model: Literal["open"] = "open"
    """Only open: a closed loop stops asking while the system stalls, and so hides the stall (coordinated omission)."""
    rate: Rate | None = None
    """5/s when there are no steps either."""
    process: Literal["constant", "poisson"] = "poisson"
    """Poisson: as many independent users would; constant: evenly spaced."""
    max_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 400
    """A call that would be one more is not sent but recorded as dropped."""
    steps: tuple[Step, ...] = ()
    """Instead of ``rate``: one after the other from t = 0; the last goes on to the end. The warm-up has the first's."""

    @model_validator(mode="after")
    def _rate_or_steps(self) -> Arrival:
        if self.rate is not None and self.steps:
            raise ValueError("rate and steps: give one of them")
        return self

    def stages(self, warmup_s: float, lasts_s: float) -> tuple[tuple[float, float], ...]:
        """(rate, seconds) from the start of the warm-up to the end of the timeline."""
        steps = self.steps or (Step(rate=self.rate or DEFAULT_RATE, lasts=max(lasts_s, 1.0)),)
        stages = [(steps[0].rate, warmup_s)]
        left = lasts_s
        for step in steps[:-1]:
            stages.append((step.rate, min(step.lasts, left)))
            left -= stages[-1][1]
        return (*stages, (steps[-1].rate, left))


class Request(Settings):
    """What each call asks."""

    api: ApiName = "openai.chat"
    stream: Flag = True
    max_tokens: Annotated[int, Field(ge=1)] = 64
    model: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        BeforeValidator(_one_or_many, json_schema_input_type=str | list[str]),
        Field(min_length=1),
    ] = ("m",)
    """One name, or a list taken in turn."""
    timeout: Annotated[Duration, Field(gt=0)] = 20.0
    """Silence after which the client gives up, as in the SDKs (it is no deadline for the whole answer). A call that is
    still open after twice this time is recorded as hung."""
    headers: dict[str, str] = Field(default_factory=dict)
    tools: Flag = False
    """Ask for a call of a tool instead of text."""


class StepRequest(Settings):
    """What a step of a journey asks."""

    path: Annotated[str, Field(pattern=r"^/")]
    """From the entry on, with its query; ``{number}`` is the number of the journey."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    body: str = ""
    """Sent as JSON, unless ``headers`` say otherwise; ``{number}`` as in ``path``."""
    headers: dict[str, str] = Field(default_factory=dict)
    timeout: Annotated[Duration, Field(gt=0)] = 20.0
    """As that of ``load.request``."""


class JourneyStep(Settings):
    """One step of a journey: a request, and what its answer has to be for the step to be done."""

    id: Annotated[str, Field(min_length=1)]
    request: StepRequest
    expect: HttpExpect = HttpExpect()
    """What the answer must be. Default: a status below 400."""
    next: Literal["end", "go_on"] = "end"
    """What a user does when the step failed."""


class Equals(Settings):
    """Every answer is this text."""

    equals: str


class LoadSpec(Settings):
    """One stream of calls."""

    id: Annotated[str, Field(min_length=1)] = "load"
    arrival: Arrival = Arrival()
    request: Request = Request()
    prompts: str = "unique"
    """``unique``: each prompt carries a call tag; ``pool:N``: N prompts without a tag, for caches; ``file:PATH``: one
    prompt per line, in turn, each with a tag."""
    journey: tuple[JourneyStep, ...] = ()
    """Instead of ``request``: several steps that make one workflow, one after the other. Each arrival begins one."""
    calls: Annotated[int, Field(ge=1)] | None = None
    """Send so many and no more; such a load has no warm-up and begins at t = 0."""
    oracle: Literal["auto", "lab", "upstream", "none"] | Equals = "auto"
    """How the right text is known. auto: lab when the answers come from lab backends of one length, else
    upstream. The client itself
    compares with lab and equals; upstream is joined from the journal."""

    @field_validator("prompts")
    @classmethod
    def _known_source(cls, value: str) -> str:
        if value == "unique" or _POOL.fullmatch(value) or (value.startswith("file:") and len(value) > len("file:")):
            return value
        raise ValueError(f"expected unique, pool:N or file:PATH, got {value!r}")

    @model_validator(mode="after")
    def _journey_or_request(self) -> LoadSpec:
        if self.journey and self.request != Request():
            raise ValueError("journey and request: give one of them")
        names = [step.id for step in self.journey]
        if len(set(names)) < len(names):
            raise ValueError("journey: two steps are called the same")
        return self

    @property
    def requests_each(self) -> int:
        """How many requests an arrival means."""
        return max(1, len(self.journey))

    @property
    def longest_timeout_s(self) -> float:
        """How long a client waits for whatever answers last."""
        return max((step.request.timeout for step in self.journey), default=self.request.timeout)

    @property
    def pool(self) -> int | None:
        """The size of the pool of prompts, or None."""
        match = _POOL.fullmatch(self.prompts)
        return int(match[1]) if match else None

    @property
    def file(self) -> str | None:
        """The path of the file of prompts, or None."""
        return self.prompts.removeprefix("file:") if self.prompts.startswith("file:") else None

    def expected_calls(self, warmup_s: float, lasts_s: float) -> float:
        """How many calls are planned on average (exactly, if evenly spaced), from the warm-up on."""
        whole = sum(rate * span_s for rate, span_s in self.arrival.stages(0 if self.calls else warmup_s, lasts_s))
        return min(whole, self.calls) if self.calls else whole


class ExternalLoad(Settings):
    """No load of ours: the run looks at traffic that others make.

    Calls are the requests at the entry listener (``topology.entry: ${listener.NAME}``); without one nobody sees what
    clients get, and expectations on them are refused.
    """

    external: Annotated[Literal[True], BeforeValidator(_true)]
    """Real traffic only."""
    oracle: Literal["auto", "upstream", "none"] = "auto"
    """How the right text is known. auto, upstream: it is what the answering upstream sent; none: nobody knows it."""
    timeout: Annotated[Duration, Field(gt=0)] | None = None
    """After how long without any answer all clients give up. One that leaves then has timed out; of others that leave
    nobody knows why."""
    drain: Annotated[Duration, Field(ge=0)] = 20.0
    """How long calls that are under way at the end of the timeline may take to end."""
