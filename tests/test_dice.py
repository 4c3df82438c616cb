"""Dice: every draw belongs to one fault and one exchange."""

from __future__ import annotations

from chaosproxy.dice import Dice


def test_the_same_arguments_give_the_same_draws() -> None:
    """On every machine: the numbers stand in journals and replay lines."""
    draws = [round(Dice(7).throw("cut", "call-1#1").random(), 6) for _ in range(2)]

    assert draws == [0.894639, 0.894639]


def test_seed_fault_and_key_each_give_other_draws() -> None:
    """A retry has another key, so it draws anew."""
    draws = {
        Dice(seed).throw(fault, key).random() for seed in (1, 2) for fault in ("a", "b") for key in ("call#1", "call#2")
    }

    assert len(draws) == 8


def test_one_throw_never_disturbs_another() -> None:
    """Each has a generator of its own, so adding a fault re-rolls nothing."""
    dice = Dice(7)
    alone = dice.throw("a", "k")
    beside, other = dice.throw("a", "k"), dice.throw("b", "k")

    assert [alone.random(), alone.random()] == [beside.random() + 0 * other.random(), beside.random()]


def test_parts_of_the_key_cannot_run_into_each_other() -> None:
    """Fault a with key bc is not fault ab with key c."""
    dice = Dice(7)

    assert dice.throw("a", "bc").random() != dice.throw("ab", "c").random()
