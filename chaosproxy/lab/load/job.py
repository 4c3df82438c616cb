"""What a load process is told, in one line of JSON on its stdin."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chaosproxy.experiment.lab_settings import Settings
from chaosproxy.experiment.load_settings import LoadSpec


class LoadJob(Settings):
    """The loads of one run. Times are seconds; ``origin_mono`` is t = 0 on the machine's monotonic clock."""

    loads: Annotated[tuple[LoadSpec, ...], Field(min_length=1)]
    prompts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """The lines of the files of prompts, per load id: whoever read the experiment file reads them too."""
    entry: str
    """Base URL of the system under test; a path such as ``/v1`` may belong to it."""
    ca: str | None = None
    """A PEM file of certificate authorities for an https entry, trusted beside the system's."""
    seed: int
    nonce: Annotated[str, Field(pattern=r"^[0-9a-z]{4,12}$")]
    """Enters every call tag, so that a cache never answers one run from another."""
    warmup_s: Annotated[float, Field(ge=0)]
    lasts_s: Annotated[float, Field(ge=0)]
    origin_mono: float
    answer_tokens: Annotated[int, Field(ge=1)] | None = None
    """``tokens`` of the lab backends behind the entry, when all answers come from such; needed by the oracle lab."""
