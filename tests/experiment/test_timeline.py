from __future__ import annotations

import pytest

from chaosproxy.experiment.timeline import gantt, planned_time
from chaosproxy.steady_state.expression import parse_window
from tests.experiment.files import PARTITION, lab

CUT = {"id": "cut", "target": "secondary", "do": {"type": "stream.truncate"}}


class TestSpans:
    @pytest.mark.parametrize(
        ("begin", "at_s", "words"),
        [
            ({"at": "12s"}, 12.0, "12s"),
            ({"after": "part.applied"}, 10.0, "part.applied"),
            ({"after": "part.healed"}, 25.0, "part.healed"),
            ({"after": "part.healed", "delay": "2s"}, 27.0, "part.healed + 2s"),
            ({"after": "part.applied", "delay": "500ms"}, 10.5, "part.applied + 500ms"),
        ],
    )
    def test_begin_at_a_time_or_with_another_fault(self, begin: dict[str, str], at_s: float, words: str) -> None:
        """As far as that one's time is planned."""
        span = lab(faults=[{**CUT, **begin, "lasts": "3s"}, PARTITION]).spans()[0]

        assert (span.at_s, span.end_s, span.lasts_s, span.begins) == (at_s, at_s + 3, 3.0, words)

    def test_follow_each_other(self) -> None:
        """Chains in any order of the file."""
        faults = [
            {**CUT, "id": "third", "after": "second.healed", "lasts": "1s"},
            {**CUT, "id": "second", "after": "part.healed", "delay": "1s", "lasts": "2s"},
            PARTITION,
        ]

        assert [(span.fault.id, span.at_s) for span in lab(faults=faults).spans()] == [
            ("third", 28.0),
            ("second", 26.0),
            ("part", 10.0),
        ]

    def test_end_before_the_quiet_tail_without_a_duration_of_their_own(self) -> None:
        """And what waits for that end has no time left."""
        (span,) = lab(faults=[{**CUT, "at": "12s"}]).spans()

        assert (span.end_s, span.targets) == (50.0, ("secondary",))


class TestMoments:
    @pytest.mark.parametrize(
        ("window", "start", "end"),
        [
            ("all", 0.0, 60.0),
            ("warmup", -2.0, 0.0),
            ("steady", 0.0, 10.0),
            ("tail", 50.0, 60.0),
            ("part", 10.0, 25.0),
            ("part.applied+2s..part.healed-1s", 12.0, 24.0),
            ("5s..over", 5.0, 60.0),
        ],
    )
    def test_are_planned(self, window: str, start: float, end: float) -> None:
        """For all marks but the end of the drain, which nobody can plan."""
        experiment, read = lab(faults=[PARTITION]), parse_window(window)

        assert (planned_time(experiment, read.start), planned_time(experiment, read.end)) == (start, end)

    def test_that_nobody_can_plan(self) -> None:
        """The drained mark, and faults that are not there."""
        experiment = lab()

        assert planned_time(experiment, parse_window("origin..drained").end) is None
        assert planned_time(experiment, parse_window("part").start) is None
        assert planned_time(experiment, parse_window("steady").end) == 60.0


class TestGantt:
    def test_draws_a_line_per_fault(self) -> None:
        """Under a scale, with gate and quiet tail, on one time axis."""
        faults = [PARTITION, {**CUT, "after": "part.healed", "delay": "5s", "flap": {"up": "1s", "down": "1s"}}]
        experiment = lab(faults=faults, gate={"window": "6s", "expect": ["success >= 99%"]})

        assert gantt(experiment, width=30) == [
            "            0s                         60s",
            "gate        ???...........................  0s for 6s",
            "part        .....#######..................  primary: 10s for 15s",
            "cut         ...............~~~~~~~~~~.....  secondary: part.healed + 5s for 20s",
            "quiet tail  .........................=====  50s for 10s",
        ]

    def test_shows_even_the_shortest_fault(self) -> None:
        """With one character at least, inside the scale."""
        faults = [{**CUT, "at": "49900ms", "lasts": "100ms"}]

        assert "cut         ........#.  secondary: 49.9s for 100ms" in gantt(lab(faults=faults), width=10)
