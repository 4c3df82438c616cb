"""Settings of the lab's parts, as ``systems:`` of an experiment file spells them.

They stand here and not in the lab, because the file must be checked without starting anything.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chaosproxy.units import Duration, Flag, Share

T = TypeVar("T")


class Settings(BaseModel):
    """Frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _for_every_model(value: Any) -> Any:
    return value if isinstance(value, dict) else {"*": value}


def for_model(values: dict[str, T], model: str) -> T | None:
    """The value of the first glob that fits ``model``, or None."""
    return next((value for glob, value in values.items() if fnmatchcase(model, glob)), None)


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


FailStatus = Annotated[int, Field(ge=400, le=599)]
FlagPerModel = Annotated[
    dict[str, Flag], BeforeValidator(_for_every_model, json_schema_input_type=bool | dict[str, bool])
]
StatusPerModel = Annotated[
    dict[str, FailStatus], BeforeValidator(_for_every_model, json_schema_input_type=FailStatus | dict[str, FailStatus])
]


class BackendSettings(Settings):
    """A mock LLM server; the model of time is that of llm-d-inference-sim (docs/latency-simulation.md there).

    Without contention an answer of n tokens takes ``ttft + prompt tokens * ttft_per_prompt_token``, and then
    ``(n - 1) * inter_token``.
    """

    tokens: Annotated[int, Field(ge=1, le=100_000)] = 40
    """Length of an answer; a smaller max_tokens of the request cuts it (finish reason "length")."""
    ttft: Duration = 0.02
    """Time to the first token that every request pays."""
    ttft_per_prompt_token: Duration = 0.0
    """Prefill: what each token of the prompt adds to the time to the first token."""
    inter_token: Duration = 0.005
    """Time from one token to the next."""
    jitter: Annotated[Share, Field(le=0.3)] = 0.0
    """Standard deviation of the three times above, as a share of each (normal, held within 70 % of the mean; at most
    30 %). Drawn from the prompt, so the same prompt always takes the same time."""
    load_factor: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0
    """What the three times are multiplied with when ``capacity`` requests run; 1 when only one runs, linear between."""
    capacity: Annotated[int, Field(ge=1)] | None = None
    """How many requests are worked on at once; None: all."""
    queue: Annotated[int, Field(ge=0)] | None = None
    """How many more may wait; the next is refused. None: any number, as in vLLM without --max-num-queued-reqs."""
    queue_full: Annotated[Literal[429, 503], BeforeValidator(_number)] = 503
    """Status of that refusal: 503 in vLLM, 429 in llm-d-inference-sim."""
    response_delay: Duration = 0.0
    """Wait before anything is answered, failures included; no token time, so neither jitter nor load touch it."""
    supports_streaming: FlagPerModel = Field(default_factory=lambda: {"*": True})
    """``false``, or per model glob (the first that fits decides): a streamed answer is asked, a plain one comes."""
    should_fail: StatusPerModel = Field(default_factory=dict)
    """A status with which every request fails, or per model glob."""
    models: tuple[str, ...] = ()
    """The models that are served, others get 404; empty: every name is."""

    @model_validator(mode="after")
    def _capacity_first(self) -> BackendSettings:
        if self.queue is not None and self.capacity is None:
            raise ValueError("queue: nobody waits without a capacity; set capacity too")
        if self.load_factor > 1 and (self.capacity or 0) < 2:
            raise ValueError("load_factor: it is reached at full capacity; set capacity to 2 or more")
        return self

    def streams(self, model: str) -> bool:
        """Whether a streamed answer for this model is really streamed."""
        return for_model(self.supports_streaming, model) is not False

    def failure(self, model: str) -> int | None:
        """The status with which every request for this model fails, or None."""
        return for_model(self.should_fail, model)
