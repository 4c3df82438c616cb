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


def test_a_fault_draws_one_number_per_key() -> None:
    """On every machine: these numbers decide which exchanges a share means."""
    draw = Dice(7).draws("cut")

    assert [round(draw(key), 6) for key in ("call-1#1", "call-1#2", "call-1#1")] == [0.845158, 0.683176, 0.845158]


def test_draws_differ_by_seed_and_fault() -> None:
    """And what is drawn tells nothing about the generator of the same fault and key."""
    drawn = {Dice(seed).draws(fault)("k") for seed in (1, 2) for fault in ("a", "b")}

    assert len(drawn) == 4
    assert Dice(1).throw("a", "k").random() not in drawn


def test_a_share_is_met() -> None:
    """A tenth of all keys draws below 0.1, and the faults of one run choose independently of each other."""
    first, second = Dice(7).draws("a"), Dice(7).draws("b")
    keys = [f"main call {number} 1" for number in range(10_000)]
    chosen = {key for key in keys if first(key) < 0.1}
    others = {key for key in keys if second(key) < 0.1}

    assert 900 < len(chosen) < 1100
    assert 70 < len(chosen & others) < 130


def test_keys_in_any_bytes() -> None:
    """A client may name its call in bytes that are no text."""
    dice = Dice(7)

    assert 0 <= dice.draws("cut")("main \udcff 1") < 1
    assert 0 <= dice.throw("cut", "main \udcff 1").random() < 1
