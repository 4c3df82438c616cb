"""When the lab's backend says each token, and how many it works on at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.faults.timing.first_token import TimeFirstToken
from chaosproxy.faults.timing.inter_token import TimeInterToken

JITTER_BOUND = 0.7
"""A jittered time stays within this share of its mean, as in llm-d-inference-sim."""


class QueueFull(Exception):
    """As many requests run and wait as the settings allow."""


class Slots:
    """The engine's places: ``capacity`` requests run, ``queue`` more wait in the order of their arrival."""

    def __init__(self, settings: BackendSettings) -> None:
        self._capacity = settings.capacity
        self._queue = settings.queue
        self._places = None if settings.capacity is None else asyncio.Semaphore(settings.capacity)
        self._entered = 0

    @property
    def running(self) -> int:
        """Requests that are worked on."""
        return self._entered if self._capacity is None else min(self._entered, self._capacity)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._entered - self.running

    def enter(self) -> None:
        """Take a place, in the queue at first. Raises QueueFull; else ``leave`` must follow."""
        if self._capacity is not None and self._queue is not None and self._entered >= self._capacity + self._queue:
            raise QueueFull
        self._entered += 1

    def leave(self) -> None:
        """Give the place back."""
        self._entered -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait to be worked on, and be it."""
        if self._places is None:
            yield
        else:
            async with self._places:
                yield


class Pace:
    """The waits of one answer. ``draws`` belongs to the prompt, so jitter is the same each time it is asked."""

    def __init__(self, settings: BackendSettings, slots: Slots, draws: Random, model: str = "") -> None:
        self._settings = settings
        self._slots = slots
        self._draws = draws
        self._size = settings.size(model)

    def first_token_s(self, prompt_tokens: int) -> float:
        """From the start of the work to the first token."""
        prefill_s = prompt_tokens * self._settings.ttft_per_prompt_token
        if self._size is None:
            return self._stretched(self._jittered(self._settings.ttft + prefill_s))
        return self._stretched(TimeFirstToken.profiles[self._size].draw_s(self._draws) + prefill_s)

    def next_token_s(self) -> float:
        """From the last token to the next, under the load of this moment."""
        if self._size is None:
            return self._stretched(self._jittered(self._settings.inter_token))
        return self._stretched(TimeInterToken.profiles[self._size].draw_s(self._draws))

    def _stretched(self, seconds: float) -> float:
        return self._load() * self._settings.time_scale * seconds

    def _jittered(self, mean_s: float) -> float:
        if not self._settings.jitter:
            return mean_s
        drawn = self._draws.gauss(mean_s, mean_s * self._settings.jitter)
        return min(max(drawn, mean_s * (1 - JITTER_BOUND)), mean_s * (1 + JITTER_BOUND))

    def _load(self) -> float:
        """1 with one request at work, ``load_factor`` at full capacity, linear between."""
        capacity = self._settings.capacity or 1
        if capacity == 1:
            return 1.0
        return 1 + (self._settings.load_factor - 1) * (self._slots.running - 1) / (capacity - 1)
