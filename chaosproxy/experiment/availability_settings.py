"""Settings of the lab's model-availability system, as ``systems:`` of an experiment file spells them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from chaosproxy.experiment.lab_settings import Settings
from chaosproxy.units import Duration

Url = Annotated[str, Field(pattern=r"^(https?://|\$\{)")]


class AvailabilitySettings(Settings):
    """A system that downloads models, watches who serves them, falls back, and counts their use: to drill on.

    ``naive`` tries once, believes what it saw first, and writes downloads straight over what was there. Without
    ``store``, ``registry`` and ``ledger`` it is one itself: what others download from, ask, and report to.
    """

    profile: Literal["naive", "resilient"] = "resilient"
    providers: dict[str, Url] = Field(default_factory=dict, max_length=16)
    """Who answers calls, in order of preference: name to URL."""
    store: Url | None = None
    """Where models are downloaded from (``/files/MODEL``)."""
    registry: Url | None = None
    """Who knows which models there are (``/v1/models``)."""
    ledger: Url | None = None
    """To whom each use is reported (``/usage``)."""
    models: tuple[str, ...] = ("m",)
    """The models that there are, where nobody else is asked."""
    tokens: Annotated[int, Field(ge=1, le=100_000)] = 40
    """Length of the answers of a downloaded model; that of the providers makes them equal."""
    file_bytes: Annotated[int, Field(ge=1, le=2_000_000_000)] = 1_000_000
    """How large a model's file is, where it is downloaded from us."""

    deadline: Annotated[Duration, Field(gt=0)] = 1.0
    """For one question to a provider, the registry or the ledger, and for each silence of a download."""
    naive_deadline: Annotated[Duration, Field(gt=0)] = 5.0
    """The same of the naive system."""
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    """How many more times a provider or the store is asked."""
    backoff: Duration = 0.1
    """Wait before the first of them, doubled for each further one."""
    backoff_max: Duration = 0.5
    """No wait is longer."""
    look_every: Annotated[Duration, Field(gt=0)] = 0.2
    """How often the health monitor looks at each provider, and the availability manager at the registry."""
    unhealthy_after: Annotated[int, Field(ge=1)] = 2
    """So many failed looks in a row make a provider unhealthy."""
    healthy_after: Annotated[int, Field(ge=1)] = 2
    """So many good looks in a row make it healthy again."""

    def urls(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Whom it speaks to, by the keys that say so."""
        yield from ((("providers", name), url) for name, url in self.providers.items())
        others = {"store": self.store, "registry": self.registry, "ledger": self.ledger}
        yield from (((name,), url) for name, url in others.items() if url is not None)
