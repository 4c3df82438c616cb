"""What one call under one plan of faults came to, and what a target is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
from chaosproxy.plan.rule import Rule

Plan = tuple[Rule, ...]
"""The faults of one run, in the order in which they are applied; all of them are there from its start."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a target gets: where to ask, and what. ``urls`` are those of all listeners by name, without a path."""

    prompt: str
    urls: Mapping[str, str]
    model: str = "m"

    @property
    def url(self) -> str:
        """Where the first listener is."""
        return next(iter(self.urls.values()))


Call = Callable[[Asked], Awaitable[str | None]]
"""Asks once, and returns the text of the answer."""
Opener = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Call]]
"""Gets the URLs of the listeners by name, opens clients that all runs share, and gives a Call."""
Blocking = Callable[[Asked], str | None]
"""A Call that is no coroutine: it waits in real time, in a thread."""
Target = Call | Opener | Blocking
"""The code that is tried."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One call as its caller saw it, and every exchange that it cost.

    ``text`` is what was returned; None when it raised (``error`` says what, ``error_type`` is the class alone) or when
    it had neither returned nor raised ``deadline_s`` after its begin (``hung``). ``restarted``: the answer begins anew
    within the text. ``took_s`` is in the time of the
    world, which may be virtual. ``exchanges`` are in the order in which they began; those of one listener are its
    first, second, ... of this run.
    """

    expected: str
    text: str | None
    error: str | None
    error_type: str | None
    hung: bool
    took_s: float
    deadline_s: float
    restarted: bool = False
    exchanges: tuple[ExchangeRecord, ...] = ()
    hits: tuple[FaultHit, ...] = ()

    @property
    def hit(self) -> frozenset[str]:
        """The ids of the rules that took effect."""
        return frozenset(hit.fault for hit in self.hits)

    @property
    def upstream_requests(self) -> int:
        """Requests that the call cost, those included that a fault kept from the upstream."""
        return len(self.exchanges)


Run = Callable[[Plan], Observation]
"""A world that runs one plan: nothing of it is left when it returns."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a world is made of. ``listeners`` each stand before a backend of the lab, all of which say the same text."""

    dialect: str = "openai.chat"
    listeners: tuple[str, ...] = ("primary",)
    tokens: int = 5
    deadline_s: float = 60.0
    """After so long without an end a call counts as hung."""
    seed: int = 0
    """Of the dice of those faults that roll any."""
    prompt: str = field(default="Tell me a story. cp-search-1")
    """With a call tag: it names the call to dice and lab, whatever the target puts around it."""
