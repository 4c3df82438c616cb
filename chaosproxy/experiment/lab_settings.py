"""Settings of the lab's parts, as ``systems:`` of an experiment file spells them.

They stand here and not in the lab, because the file must be checked without starting anything.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from chaosproxy.descriptions import Described
from chaosproxy.faults.timing.first_token import TimeFirstToken
from chaosproxy.faults.timing.inter_token import TimeInterToken
from chaosproxy.units import Duration, Flag, Share, split_list

T = TypeVar("T")


class Settings(Described):
    """Frozen, strict about unknown keys; the docstrings of fields become descriptions in the JSON Schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _for_every_model(value: Any) -> Any:
    return value if isinstance(value, dict) else {"*": value}


def for_model(values: dict[str, T], model: str) -> T | None:
    """The value of the first glob that fits ``model``, or None."""
    return next((value for glob, value in values.items() if fnmatchcase(model, glob)), None)


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _none_by_name(value: Any) -> Any:
    """YAML's own null does not exist in our files, and a variable always holds text."""
    return None if value == "none" else value


def _weights(value: Any) -> Any:
    """``a=3,b=1`` as a mapping; numbers may be text, as in our files."""
    if isinstance(value, str):
        value = dict(part.strip().partition("=")[::2] for part in value.split(",") if part.strip())
    return {name: _number(weight) for name, weight in value.items()} if isinstance(value, dict) else value


FailStatus = Annotated[int, Field(ge=400, le=599)]
FlagPerModel = Annotated[
    dict[str, Flag], BeforeValidator(_for_every_model, json_schema_input_type=bool | dict[str, bool])
]
StatusPerModel = Annotated[
    dict[str, FailStatus], BeforeValidator(_for_every_model, json_schema_input_type=FailStatus | dict[str, FailStatus])
]
ModelSize = Literal["7b", "13b", "70b"]
SizePerModel = Annotated[
    dict[str, ModelSize],
    BeforeValidator(_for_every_model, json_schema_input_type=ModelSize | dict[str, ModelSize]),
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
    profile: SizePerModel = Field(default_factory=dict)
    """A model of that size on one GPU, or per model glob, in place of ttft, inter_token and jitter: 1 to 3 s to the
    first token and 10 to 30 ms to the next (7b), 3 to 7 s and 30 to 70 ms (13b), 10 to 30 s and 100 to 300 ms (70b).
    The times of the faults ``time.first_token`` and ``time.inter_token``; drawn from the prompt, like jitter."""
    time_scale: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 1.0
    """What all times of tokens are multiplied with: 0.1 makes a drill of an hour one of six minutes."""
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
    models: Annotated[tuple[str, ...], BeforeValidator(split_list, json_schema_input_type=list[str])] = ()
    """The models that are served, others get 404; empty: every name is."""
    notice_every: Duration = 0.05
    """Time from one notice of ``WS .../files/SIZE/progress`` to the next."""

    @model_validator(mode="after")
    def _capacity_first(self) -> BackendSettings:
        if self.queue is not None and self.capacity is None:
            raise ValueError("queue: nobody waits without a capacity; set capacity too")
        if self.load_factor > 1 and (self.capacity or 0) < 2:
            raise ValueError("load_factor: it is reached at full capacity; set capacity to 2 or more")
        return self

    @model_validator(mode="after")
    def _profile_or_times(self) -> BackendSettings:
        fields = type(self).model_fields
        given = [name for name in ("ttft", "inter_token", "jitter") if getattr(self, name) != fields[name].default]
        if "*" in self.profile and given:
            raise ValueError(f"profile stands in place of {', '.join(given)}: give one or the other")
        return self

    def size(self, model: str) -> ModelSize | None:
        """Of the profile for this model, or None."""
        return for_model(self.profile, model)

    def answer_s(self, model: str, tokens: int) -> float:
        """How long an answer takes on average, without prefill and load."""
        size = self.size(model)
        first_s = self.ttft if size is None else TimeFirstToken.profiles[size].mean_s
        next_s = self.inter_token if size is None else TimeInterToken.profiles[size].mean_s
        return self.response_delay + self.time_scale * (first_s + (tokens - 1) * next_s)

    def streams(self, model: str) -> bool:
        """Whether a streamed answer for this model is really streamed."""
        return for_model(self.supports_streaming, model) is not False

    def failure(self, model: str) -> int | None:
        """The status with which every request for this model fails, or None."""
        return for_model(self.should_fail, model)


Defect = Literal[
    "no_usage_check",
    "retry_after_content",
    "no_fallback",
    "invented_stop",
    "ignored_retry_after",
    "no_first_token_deadline",
    "buffered_stream",
    "swallowed_heartbeats",
    "hidden_client_errors",
    "ignored_weights",
    "cached_truncation",
    "required_cache",
    "fail_closed",
]
"""What a gateway mutant does wrong; each is a resilient gateway with exactly one behaviour replaced."""


class GatewaySettings(Settings):
    """A gateway between clients and LLM servers, to drill on.

    ``naive`` knows ``upstreams``, ``naive_total`` and the cache only; everything else is for ``resilient``.
    """

    upstreams: Annotated[
        dict[str, Annotated[str, Field(pattern=r"^(https?://|\$\{)")]], Field(min_length=1, max_length=16)
    ]
    """Name to URL, in order of preference."""
    profile: Literal["naive", "resilient"] = "resilient"
    defect: Annotated[
        Defect | None, BeforeValidator(_none_by_name, json_schema_input_type=Defect | Literal["none"])
    ] = None
    """What a mutant does wrong; ``none``: nothing."""
    pool: Annotated[
        dict[str, Annotated[int, Field(ge=0, le=1000)]],
        BeforeValidator(_weights, json_schema_input_type=dict[str, int] | str),
    ] = Field(default_factory=dict)
    """Weights, as ``{a: 3, b: 1, c: 0}`` or ``a=3,b=1,c=0``: of four calls a is asked first by three, b by one.
    Weight 0 is a last resort, asked only when the others fail. Empty: ``upstreams`` in their order."""
    fallback: Flag = True
    """Whether another upstream, or a plain answer wrapped as a stream, may stand in."""
    plain_retry: Flag = False
    """Whether an upstream that failed a streamed request is asked for a plain answer when its turn comes again; that is
    wrapped as a stream."""
    one_token_per_event: Flag = True
    """Whether each content event of the upstreams is one token, as in the lab. Only then can a gateway count events
    against the reported usage and so notice that one was lost on the way; false for upstreams that batch tokens."""

    ca: Annotated[str, Field(min_length=1)] | None = None
    """A PEM file of certificate authorities for https upstreams, trusted beside the system's. In an experiment:
    ``topology.ca``, where it is not set."""
    connect: Duration = 1.0
    """Deadline for the TCP (and TLS) connection to an upstream."""
    first_token: Duration = 1.0
    """Deadline for the first content of a streamed answer, counted from the attempt's begin."""
    between_events: Duration = 2.0
    """Deadline from one event to the next; comments and pings are no progress."""
    plain_answer: Duration = 10.0
    """Deadline for a whole plain answer, counted from the attempt's begin."""
    total: Duration = 60.0
    """Deadline for the whole call, all attempts and waits included."""

    retries: Annotated[int, Field(ge=0, le=10)] = 1
    """How many more rounds over the upstreams a call makes while no content has reached the client."""
    backoff: Duration = 0.1
    """Wait before the first retry, doubled for each further one; a random half of it is jitter."""
    backoff_max: Duration = 2.0
    """No wait is longer; a call that would have to wait longer fails with 429 and says for how long."""
    retry_after_max: Duration = 60.0
    """An upstream's Retry-After is honoured up to this."""

    unhealthy_after: Annotated[int, Field(ge=0)] = 5
    """More failures in a row than this make an upstream unhealthy: it is skipped while another one is not."""
    cooldown: Duration = 1.0
    """How long an unhealthy upstream is left alone before one live request may try it."""
    trial_first_token: Duration = 0.5
    """Deadline for the first content of that request, before it falls back like any other."""
    probe_each: Annotated[
        Annotated[Duration, Field(ge=0.01)] | None, BeforeValidator(_none_by_name, json_schema_input_type=str)
    ] = None
    """How often each upstream is asked for ``probe_path``; ``none``: never. Live requests count beside it."""
    probe_path: Annotated[str, Field(pattern=r"^/")] = "/health"
    """The page of a probe; any status below 400 is a success."""
    probe_failures: Annotated[int, Field(ge=1, le=1000)] = 3
    """So many failed probes in a row take an upstream out; the next good one takes it in again. It is asked all the
    same when there is no other: a broken page is no broken model."""
    probe_timeout: Annotated[Duration, Field(gt=0)] = 1.0
    """Deadline of a probe."""
    capability_ttl: Duration = 60.0
    """How long it is remembered whether an upstream streams a model."""
    capability_store: Literal["memory", "broken"] = "memory"
    """Where that is remembered; ``broken`` is one that fails at every question, as a shared cache may."""
    seed: int = 0
    """Of the jitter."""

    cache: Annotated[
        Annotated[str, Field(pattern=r"^(rediss?://|\$\{)")] | None,
        BeforeValidator(_none_by_name, json_schema_input_type=str),
    ] = Field(default=None, repr=False)
    """URL of a Redis in which whole answers are kept, by the bytes of the request; a kept one is served with
    ``x-cache: HIT``. ``none``: no cache. It needs `pip install 'chaosproxy[redis]'`."""
    cache_ttl: Annotated[Duration, Field(ge=0.001)] = 60.0
    """How long an answer is kept."""
    cache_timeout: Annotated[Duration, Field(gt=0)] = 0.25
    """Deadline for a question to the cache; a cache that is too slow or broken is one that knows nothing."""

    naive_total: Duration = 5.0
    """The one deadline of the naive gateway: for a whole exchange with an upstream, however far it has come."""

    @model_validator(mode="after")
    def _defects_are_of_the_resilient(self) -> GatewaySettings:
        if self.defect is not None and self.profile == "naive":
            raise ValueError("defect: a mutant is a resilient gateway; the naive one has its own faults")
        return self

    @model_validator(mode="after")
    def _pool_is_of_upstreams(self) -> GatewaySettings:
        if self.pool and set(self.pool) != set(self.upstreams):
            raise ValueError(f"pool: expected a weight for each of {', '.join(self.upstreams)}")
        if self.pool and not any(self.pool.values()):
            raise ValueError("pool: one weight at least must be more than 0")
        if self.pool and self.profile == "naive":
            raise ValueError("pool: the naive gateway knows no weights")
        return self
