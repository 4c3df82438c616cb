"""What is remembered about upstreams that answer ``stream: true`` with a plain answer.

There is no detection request: the first live answer shows it, and is wrapped if it was plain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether an upstream streams a model, and when that was seen."""

    streams: bool
    seen_at: float


class Store(Protocol):
    """Where capabilities are kept, by upstream and model. It may raise anything, as a shared cache would."""

    def get(self, key: tuple[str, str]) -> Capability | None:
        """What was put last."""

    def put(self, key: tuple[str, str], capability: Capability) -> None:
        """Keep it."""


class InMemory:
    """A store of at most ``limit`` entries that forgets the oldest."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._kept: dict[tuple[str, str], Capability] = {}

    def get(self, key: tuple[str, str]) -> Capability | None:
        return self._kept.get(key)

    def put(self, key: tuple[str, str], capability: Capability) -> None:
        self._kept.pop(key, None)
        if len(self._kept) >= self._limit:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = capability


class Broken:
    """A store that is not there."""

    def get(self, key: tuple[str, str]) -> Capability | None:
        raise ConnectionError("the store of capabilities is broken")

    def put(self, key: tuple[str, str], capability: Capability) -> None:
        raise ConnectionError("the store of capabilities is broken")


class Capabilities:
    """A store with a time to live. A store that fails is one that knows nothing: no call may fail by it."""

    def __init__(self, store: Store, *, ttl_s: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._clock = clock

    def recall(self, upstream: str, model: str) -> Capability | None:
        """What is known and not too old."""
        try:
            known = self._store.get((upstream, model))
        except Exception as error:  # noqa: BLE001 - whatever a store raises means: detect again
            log.warning("capability_unknown", upstream=upstream, error=type(error).__name__)
            return None
        return known if known is not None and self._clock() - known.seen_at < self._ttl_s else None

    def learn(self, upstream: str, model: str, *, streams: bool) -> None:
        """Remember what an answer showed; what is known and still fresh keeps its age, so that it does expire."""
        known = self.recall(upstream, model)
        if known is not None and known.streams == streams:
            return
        try:
            self._store.put((upstream, model), Capability(streams, self._clock()))
        except Exception as error:  # noqa: BLE001 - see recall
            log.warning("capability_not_kept", upstream=upstream, error=type(error).__name__)
