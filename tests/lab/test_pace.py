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


@pytest.mark.parametrize(
    ("size", "first_s", "next_s"),
    [("7b", (1, 3), (0.01, 0.03)), ("13b", (3, 7), (0.03, 0.07)), ("70b", (10, 30), (0.1, 0.3))],
)
def test_a_profile_has_the_times_of_a_model_of_that_size(
    size: str, first_s: tuple[float, float], next_s: tuple[float, float]
) -> None:
    """All draws lie in the range and fill it, on the first token and from token to token."""
    pace = _pace(profile=size)
    firsts = [pace.first_token_s(0) for _ in range(500)]
    gaps = [pace.next_token_s() for _ in range(500)]

    for (least_s, most_s), drawn in ((first_s, firsts), (next_s, gaps)):
        assert least_s <= min(drawn) < least_s * 1.1
        assert most_s * 0.9 < max(drawn) <= most_s


def test_a_profile_is_for_a_model_and_a_scale_for_all() -> None:
    """The first glob that fits decides; without one ttft and inter_token do."""
    settings = BackendSettings.model_validate({"profile": {"big-*": "70b"}, "ttft": "200ms", "time_scale": 0.1})
    big, other = (Pace(settings, Slots(settings), Random(1), model) for model in ("big-1", "small"))

    assert 1 <= big.first_token_s(0) <= 3
    assert other.first_token_s(0) == pytest.approx(0.02)
    assert settings.answer_s("big-1", 11) == pytest.approx(2 + 10 * 0.02)
    assert settings.answer_s("small", 11) == pytest.approx(0.1 * (0.2 + 10 * 0.005))


def test_a_profile_and_times_exclude_each_other() -> None:
    """Two answers to one question are a mistake."""
    with pytest.raises(ValueError, match="profile stands in place of ttft"):
        BackendSettings.model_validate({"profile": "7b", "ttft": "1s"})


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
