"""The search for the smallest drill, against oracles that answer at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.yaml_text import read_yaml
from chaosproxy.search.drill import Candidate, Drill
from chaosproxy.search.minimize import Outcome, ddmin, expected_candidates, majority, minimize
from tests.search.test_halving import drive

DEVIATED, HELD, UNKNOWN = Outcome.DEVIATED, Outcome.HELD, Outcome.INCONCLUSIVE

FIVE = """\
experiment: v1
name: five
vars: {long: 2s}
topology:
  entry: "http://127.0.0.1:8080"
  backends: {a: {upstream: "http://127.0.0.1:8000"}, b: {upstream: "${env:B:-http://127.0.0.1:8001}"}}
timeline: {lasts: 20s, quiet_tail: 1s}
faults:
  - {id: part, target: a, at: 4s, lasts: 8s, do: {type: partition, mode: blackhole}, min_hits: 20}
  - {target: b, after: part.applied, delay: 1s, lasts: "${long}", share: 40%,
     do: {type: stream.truncate, where: "token:8"}}
  - {target: b, after: part.healed, lasts: 1s, do: {type: stream.truncate}, match: {path: /v1/*}, min_hits: 0}
  - {id: slow, target: [a, b], at: 2s, lasts: 4s, flap: {up: 1s, down: 500ms},
     do: {type: time.first_token, mean: 400ms}}
  - {id: rest, target: b, at: 2s, do: {type: sse.comment}}
hypothesis:
  - silent_truncated == 0
  - {id: fallback, expect: failover_time(part) <= 2s, sustained: {success: 95%, for: 1s}}
"""
CUT, LATER = "stream-truncate", "stream-truncate-2"
IDS = ("part", CUT, LATER, "slow", "rest")


def drill(text: str = FIVE, expectation: str = "silent_truncated") -> Drill:
    """The drill of a file, for one of its expectations."""

    def read(candidate: str) -> Any:
        return parse_experiment(candidate, "five.yaml")

    return Drill(read_yaml(text, "five.yaml").plain(), read(text), expectation, read)


def search(
    that: Drill, outcome: Callable[[Candidate], Outcome]
) -> tuple[Candidate | None, list[tuple[Candidate, Outcome]]]:
    """What a search finds, and what it proposed with the answers that it got."""
    steps, asked = minimize(that), []
    try:
        candidate = next(steps)
        while True:
            asked.append((candidate, outcome(candidate)))
            candidate = steps.send(asked[-1][1])
    except StopIteration as ended:
        return ended.value, asked


def needs(*faults: str, **values: str) -> Callable[[Candidate], Outcome]:
    """Deviates with these faults, as long as each value of ``FAULT__KEY`` is what it was."""

    def outcome(candidate: Candidate) -> Outcome:
        changed = {"__".join(step for step in path if step != "do") for path in candidate.settings}
        return DEVIATED if set(faults) <= set(candidate.faults) and not changed & set(values) else HELD

    return outcome


class TestDdmin:
    @pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 12])
    @pytest.mark.parametrize("size", [1, 2, 3])
    def test_finds_exactly_the_items_that_matter(self, count: int, size: int) -> None:
        """Wherever they stand, with nothing proposed twice and never the empty set."""
        items = tuple(range(count))
        for matter in combinations(items, size):
            result, proposed = drive(ddmin(items), set(matter).issubset)

            assert result == matter
            assert len(set(proposed)) == len(proposed)
            assert () not in proposed
            assert items not in proposed

    def test_one_of_two_causes_is_enough(self) -> None:
        """It is minimal: without any of its items it does not fail."""
        result, _ = drive(ddmin(range(6)), lambda some: {0, 5} <= set(some) or 2 in some)

        assert result in {(2,), (0, 5)}

    def test_two_of_twelve_take_few_proposals(self) -> None:
        """On average under 40; each is a real run, or several."""
        pairs = list(combinations(range(12), 2))
        counts = [len(drive(ddmin(range(12)), set(pair).issubset)[1]) for pair in pairs]

        assert sum(counts) / len(counts) < 40


class TestMajority:
    @pytest.mark.parametrize(
        ("votes", "repeats", "outcome"),
        [
            ([], 1, None),
            ([DEVIATED], 1, DEVIATED),
            ([UNKNOWN], 1, UNKNOWN),
            ([DEVIATED], 3, None),
            ([DEVIATED, DEVIATED], 3, DEVIATED),
            ([DEVIATED, HELD], 3, None),
            ([DEVIATED, HELD, DEVIATED], 3, DEVIATED),
            ([HELD, HELD], 3, HELD),
            ([HELD, UNKNOWN], 3, UNKNOWN),
            ([DEVIATED, UNKNOWN], 3, None),
            ([DEVIATED, UNKNOWN, UNKNOWN], 3, UNKNOWN),
            ([UNKNOWN, UNKNOWN], 3, UNKNOWN),
            ([DEVIATED, HELD], 2, UNKNOWN),
        ],
    )
    def test_inconclusive_counts_for_neither_side(
        self, votes: list[Outcome], repeats: int, outcome: Outcome | None
    ) -> None:
        """Most of all runs must say it; and it ends as soon as no run can make it deviate."""
        assert majority(votes, repeats) is outcome


class TestMinimize:
    def test_two_of_five(self) -> None:
        """Exactly those, with values as small as they may be, and a timeline to match."""
        found, asked = search(drill(), needs("part", CUT, part__lasts=""))

        assert found is not None
        assert found.faults == ("part", CUT)
        assert ("part", "lasts") not in found.settings
        assert found.settings[CUT, "do", "where"] == "token:1"
        assert found.settings["timeline", "lasts"]
        assert asked[0][0] == drill().whole()
        assert asked[1][0].faults == ()

    def test_what_comes_back_was_seen_to_deviate(self) -> None:
        """Never a candidate that only ought to."""
        for matter in combinations(IDS, 2):
            found, asked = search(drill(), needs(*matter))

            assert found is not None
            assert any((found.faults, found.settings) == (c.faults, c.settings) for c, o in asked if o is DEVIATED)
            assert found.faults == matter

    @pytest.mark.parametrize("outcome", [HELD, UNKNOWN])
    def test_a_drill_that_does_not_deviate_again_is_left_alone(self, outcome: Outcome) -> None:
        """Nor one whose second run is inconclusive: there is nothing to go by."""
        found, asked = search(drill(), lambda _: outcome)

        assert found is None
        assert len(asked) == 1

    def test_a_system_that_deviates_without_faults(self) -> None:
        """No fault is to blame."""
        found, asked = search(drill(), lambda _: DEVIATED)

        assert found is not None
        assert found.faults == ()
        assert len(asked) == 2

    def test_inconclusive_is_never_taken_for_a_reproduction(self) -> None:
        """A fault alone meets nobody: both stay."""

        def outcome(candidate: Candidate) -> Outcome:
            whole = {"part", CUT} <= set(candidate.faults) and not candidate.settings
            return DEVIATED if whole else UNKNOWN

        found, _ = search(drill(), outcome)

        assert found is not None
        assert (found.faults, found.settings) == (("part", CUT), {})

    def test_a_fault_that_the_expectation_names_stays(self) -> None:
        """Without it the file would be invalid, and that is never run."""
        found, asked = search(drill(expectation="fallback"), needs())

        assert found is not None
        assert found.faults == ("part",)
        assert all("part" in candidate.faults for candidate, _ in asked)

    def test_every_candidate_is_a_valid_file(self) -> None:
        """With no other expectation, and the values that it says."""
        that = drill()
        _, asked = search(that, needs("slow", LATER))

        for candidate, _ in asked:
            experiment = that.read(candidate)
            assert tuple(fault.id for fault in experiment.faults) == candidate.faults
            assert [entry.id for entry in experiment.hypothesis] == ["silent_truncated"]

    def test_how_many_are_expected(self) -> None:
        """The estimate is that of a search in which the first and the last fault matter."""
        _, asked = search(drill(), needs("part", "rest"))

        assert 6 < expected_candidates(drill()) < 2 * len(asked)


class TestDrill:
    def test_a_fault_waits_for_none_that_is_left_out(self) -> None:
        """It begins when it would have; one that stays is still waited for."""
        alone, together = drill().read(drill().only([CUT])), drill().read(drill().only(["part", CUT]))

        assert (alone.faults[0].at, alone.faults[0].after) == (5.0, None)
        assert (together.faults[1].at, together.faults[1].after) == (None, "part.applied")

    def test_faults_keep_the_ids_by_which_their_dice_are_thrown(self) -> None:
        """The second of two without an id does not become the first."""
        assert drill().read(drill().only([LATER])).faults[0].id == LATER

    def test_min_hits_of_the_whole_drill_are_not_asked_of_a_part(self) -> None:
        """One hit is; and a fault that needed none still needs none."""
        faults = {fault.id: fault.min_hits for fault in drill().read(drill().whole()).faults}

        assert (faults["part"], faults[LATER]) == (1, 0)

    def test_references_stay_references(self) -> None:
        """What comes from the environment may be secret."""
        assert "${env:B:-http://127.0.0.1:8001}" in drill().text(drill().whole())

    def test_values_that_can_be_halved(self) -> None:
        """Those of the faults that are left, a variable's too."""
        assert drill().settings(drill().only([CUT, "slow"])) == {
            (CUT, "at"): "5s",
            (CUT, "lasts"): "2s",
            (CUT, "share"): "40%",
            (CUT, "do", "where"): "token:8",
            ("slow", "at"): "2s",
            ("slow", "lasts"): "4s",
            ("slow", "flap", "up"): "1s",
            ("slow", "flap", "down"): "500ms",
            ("slow", "do", "mean"): "400ms",
        }

    def test_a_timeline_that_is_not_much_longer_than_its_faults_stays(self) -> None:
        """And one whose last fault lasts to its end."""
        assert drill().shortened(drill().only(["rest"])) is None
        shorter = drill().shortened(drill().only(["slow"]))
        assert shorter is not None
        assert drill().read(shorter).timeline.lasts == 8.0

    def test_nothing_is_quoted_without_need(self) -> None:
        """The file is for people: text of all kinds reads back as it was."""
        text = drill().text(drill().whole())

        assert "timeline: {lasts: 20s, quiet_tail: 1s}" in text
        assert "expect: silent_truncated == 0" in text
        assert drill(text).text(drill(text).whole()) == text
