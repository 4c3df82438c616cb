"""The times of the lab's backend: slots, jitter, load."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.lab.pace import Pace, QueueFull, Slots


def _pace(seed: int = 1, running: int = 1, **fields: Any) -> Pace:
    settings = BackendSettings(**fields)
    slots = Slots(settings)
    for _ in range(running):
        slots.enter()
    return Pace(settings, slots, Random(seed))


def test_first_token_grows_with_the_prompt() -> None:
    """Time to first token is the overhead plus the time per token of the prompt."""
    assert _pace(ttft=0.2, ttft_per_prompt_token=0.001).first_token_s(300) == pytest.approx(0.5)


@pytest.mark.parametrize(("running", "factor"), [(1, 1.0), (3, 1.5), (5, 2.0), (9, 2.0)])
def test_times_grow_under_load(running: int, factor: float) -> None:
    """The factor grows linearly from one request at work to full capacity; those that wait add nothing."""
    pace = _pace(running=running, inter_token=0.1, ttft=0.2, capacity=5, load_factor=2.0)

    assert pace.next_token_s() == pytest.approx(0.1 * factor)
    assert pace.first_token_s(0) == pytest.approx(0.2 * factor)


def test_jitter_is_bounded_and_repeatable() -> None:
    """Jittered times stay within 70 % of their mean, vary, and come again for the same draws."""
    times = [_pace(seed, inter_token=1.0, jitter=0.3).next_token_s() for seed in range(500)]

    assert len(set(times)) > 400
    assert 0.3 <= min(times) < 0.6
    assert 1.4 < max(times) <= 1.7
    assert times[7] == _pace(7, inter_token=1.0, jitter=0.3).next_token_s()


def test_slots_refuse_beyond_the_queue() -> None:
    """Capacity and queue together bound what is taken in; who leaves makes room."""
    slots = Slots(BackendSettings(capacity=2, queue=1))
    for _ in range(3):
        slots.enter()

    assert (slots.running, slots.waiting) == (2, 1)
    with pytest.raises(QueueFull):
        slots.enter()
    slots.leave()
    slots.enter()


def test_queue_is_endless_by_default() -> None:
    """Without a queue length everybody waits, as in vLLM."""
    slots = Slots(BackendSettings(capacity=1))
    for _ in range(50):
        slots.enter()

    assert (slots.running, slots.waiting) == (1, 49)


async def test_turns_come_in_order() -> None:
    """Who waits longest is worked on next."""
    slots = Slots(BackendSettings(capacity=1))
    order: list[int] = []

    async def work(number: int) -> None:
        async with slots.turn():
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(number) for number in range(5)))

    assert order == [0, 1, 2, 3, 4]
