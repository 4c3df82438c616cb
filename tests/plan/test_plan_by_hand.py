"""Rules one by one, beside those of runs, and the state in which there are none."""

from __future__ import annotations

import pytest

from chaosproxy.dice import Dice
from chaosproxy.plan.plan import Conflict, Halted, Plan
from tests.plan.test_plan import plan, rule, told


def _ids(made: Plan) -> list[str]:
    return [active.rule.id for active in made.active]


class TestOne:
    """``add``, ``prolong`` and ``end``."""

    def test_it_lives_beside_the_others_of_its_owner(self) -> None:
        """With a lease of its own, which ends it alone."""
        made = plan(rule("a"), lease_s=100.0)
        assert told(made.add(rule("b"), "run", 10.0, Dice(2), 5.0)) == [("b", "applied", 5.0, "")]
        assert made.next_at() == 15.0
        assert told(made.advance(15.0)) == [("b", "healed", 15.0, "lease")]
        assert _ids(made) == ["a"]

    def test_its_lease_is_prolonged_alone(self) -> None:
        """The other one's is as it was; an unknown one does not mind."""
        made = plan(rule("a"), lease_s=10.0)
        made.add(rule("b"), "hand", 10.0, Dice(2), 0.0)
        made.prolong("b", 10.0, 5.0)
        made.prolong("c", 10.0, 5.0)
        assert told(made.advance(12.0)) == [("a", "healed", 10.0, "lease")]
        assert made.next_at() == 15.0

    def test_a_taken_id_is_refused(self) -> None:
        """Whoever has it."""
        made = plan(rule("a"))
        with pytest.raises(Conflict, match="fault 'a' is active already, it belongs to 'run'"):
            made.add(rule("a"), "run", 10.0, Dice(2), 0.0)

    def test_one_that_ended_by_itself_may_come_again(self) -> None:
        """Asking for it once more is meant, unlike the whole set of a run that does not know yet."""
        made = plan(rule("a", lasts="2s"))
        made.advance(2.0)
        assert told(made.add(rule("a"), "run", 10.0, Dice(2), 3.0)) == [("a", "applied", 3.0, "")]

    def test_anybody_ends_it(self) -> None:
        """Once; what is not there has ended."""
        made = plan(rule("a"), rule("b"))
        assert told(made.end("a", 1.0)) == [("a", "healed", 1.0, "cleared")]
        assert made.end("a", 2.0) == []
        assert _ids(made) == ["b"]


class TestHalted:
    """Nothing acts, and nothing is let in."""

    def test_all_end_and_none_begins(self) -> None:
        """With the reason; an empty set is no rule."""
        made = plan(rule("a"))
        assert told(made.halt("game over", 1.0)) == [("a", "healed", 1.0, "cleared")]
        with pytest.raises(Halted, match="nothing is injected here: game over"):
            made.apply([rule("b")], "run", 10.0, Dice(1), 2.0)
        with pytest.raises(Halted, match="game over"):
            made.add(rule("b"), "hand", 10.0, Dice(1), 2.0)
        assert made.apply([], "run", 10.0, Dice(1), 2.0) == []
        assert made.active == ()

    def test_none_comes_back_by_itself(self) -> None:
        """Afterwards it is as after a start."""
        made = plan(rule("a"))
        made.halt("game over", 1.0)
        assert made.halt("", 2.0) == []
        assert made.active == ()
        assert told(made.apply([rule("a")], "run", 10.0, Dice(1), 3.0)) == [("a", "applied", 3.0, "")]
