"""What a person sees while a run goes on."""

from __future__ import annotations

import pytest
from rich.console import Console

from chaosproxy.cli.live import Log, View, watching
from chaosproxy.cli.run import prepare
from chaosproxy.journal.records import AnyRecord, FaultEdge, GateJudged, Mark
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.runner.order import Order
from tests.steady_state.drills import ORIGIN, Drill


@pytest.fixture
def order() -> Order:
    """The first drill, not run."""
    return prepare("first-drill", {}, 7)


def _records() -> list[AnyRecord]:
    drill = Drill()
    drill.good("fine", 1)
    drill.call("bad", 2, "", error="connect")
    edge = FaultEdge(fault="part", edge="applied", at=ORIGIN + 5, listeners=["primary"])
    hit = FaultHit(fault="part", at=ORIGIN + 5.5, listener="primary", exchange="x")
    return [*drill.journal().records, edge, hit]


def _drawn(view: View) -> str:
    paper = Console(width=120, color_system=None)
    with paper.capture() as drawn:
        paper.print(view.render())
    return drawn.get()


class TestView:
    """The view on a terminal."""

    def test_before_anything_happened(self, order: Order) -> None:
        """The faults are planned, nobody has called."""
        drawn = _drawn(View(order))

        assert "first-drill" in drawn
        assert "starting" in drawn
        assert drawn.count("planned") == 2
        assert "calls 0: 0 answered, 0 failed" in drawn

    def test_it_counts_calls_hits_and_who_served(self, order: Order) -> None:
        """Each record moves what belongs to it."""
        view = View(order)
        for record in _records():
            view.notice(record)

        drawn = _drawn(view)

        assert "calls 2: 1 answered, 1 failed" in drawn
        assert "served: primary 1" in drawn
        (part,) = (line for line in drawn.splitlines() if line.split()[:1] == ["part"])
        assert part.split() == ["part", "applied", "1", "hits"]


class TestLog:
    """The lines in a pipe."""

    def test_a_line_per_event_with_the_time_of_the_run(self, order: Order) -> None:
        """Marks, the gate, and the begin and end of faults."""
        lines: list[str] = []
        log = Log(order, lines.append)
        records: list[AnyRecord] = [
            Mark(name="warmup", at=ORIGIN - 2),
            Mark(name="origin", at=ORIGIN),
            GateJudged(at=ORIGIN + 4, held=True),
            FaultEdge(fault="part", edge="healed", at=ORIGIN + 13, listeners=["primary"], why="lasts"),
        ]

        for record in records:
            log.notice(record)

        assert lines[0].startswith("first-drill: seed 7, ")
        assert [line.strip() for line in lines[1:]] == [
            "warming up for 2s",
            "0.0s  running for 24s",
            "4.0s  the gate holds",
            "13.0s  part healed on primary (lasts)",
        ]

    def test_a_gate_that_does_not_hold_says_why(self, order: Order) -> None:
        """Its reasons stand in the line."""
        lines: list[str] = []

        Log(order, lines.append).notice(GateJudged(at=ORIGIN, held=False, reasons=["success >= 99%: observed 0%"]))

        assert lines[-1].strip() == "gate: success >= 99%: observed 0%"


def test_quiet_runs_print_nothing(order: Order, capsys: pytest.CaptureFixture[str]) -> None:
    """--json leaves both streams to the report."""
    with watching(order, quiet=True) as notice:
        for record in _records():
            notice(record)

    assert capsys.readouterr() == ("", "")
