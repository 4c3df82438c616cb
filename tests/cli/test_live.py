"""What a person sees while a run goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from chaosproxy.cli.live import Log, OpenCalls, View, watching
from chaosproxy.cli.run import prepare
from chaosproxy.journal.records import AnyRecord, FaultEdge, GateJudged, Mark
from chaosproxy.journal.traffic import FaultHit, Underway
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


def _bands(view: View) -> dict[str, str]:
    """The timelines of the faults."""
    lines = [line.split() for line in _drawn(view).splitlines()]
    return {words[0]: words[1] for words in lines if words and words[0] in ("part", "cut")}


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
        assert part.split()[2:] == ["applied", "1", "hits"]

    def test_the_timeline_advances_over_the_plan(self, order: Order) -> None:
        """On one axis: planned, acting until now or until it healed, now; it needs no colour."""
        now = ORIGIN
        view = View(order, lambda: now)
        before = _bands(view)
        view.notice(Mark(name="origin", at=ORIGIN))
        view.notice(FaultEdge(fault="part", edge="applied", at=ORIGIN + 6, listeners=["primary"]))
        now = ORIGIN + 9
        during = _bands(view)
        view.notice(FaultEdge(fault="part", edge="healed", at=ORIGIN + 12, listeners=["primary"], why="lasts"))
        now = ORIGIN + 18
        after = _bands(view)

        assert before["part"] == "........-------------" + "-" * 1 + "." * 18
        assert during["part"] == "........--#####|" + "-" * 6 + "." * 18
        assert after["part"] == "........--##########--........|........."
        assert set(after["cut"]) == {".", "-", "|"}


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

    @pytest.mark.parametrize(
        ("sent", "ended", "words"),
        [(2, 2, "all calls have ended"), (2, 1, "1 call had not ended"), (7, 1, "6 calls had not ended")],
    )
    def test_the_last_line_tells_whether_the_calls_have_ended(
        self, order: Order, sent: int, ended: int, words: str
    ) -> None:
        """Those of a run that was interrupted have not: the same number as in its verdict."""
        drill, lines = Drill(), list[str]()
        log = Log(order, lines.append)
        for number in range(sent):
            drill.sent(f"call-{number}", 1)
        for number in range(ended):
            drill.call(f"call-{number}", 1)

        for record in [*drill.records, Mark(name="drained", at=ORIGIN + 5.4)]:
            log.notice(record)

        assert lines[-1].strip() == words


class TestOpenCalls:
    """Calls of traffic that is not ours, which are requests at the entry."""

    @pytest.fixture
    def calls(self, order: Order) -> OpenCalls:
        """Of a run that watches the listener primary."""
        return OpenCalls(replace(order.experiment.claims(), external=True, entry="primary"))

    def test_what_is_under_way_at_the_entry_has_not_ended(self, calls: OpenCalls) -> None:
        """Requests behind it, and those for no answer, are no calls."""
        for listener, method in (("primary", "POST"), ("secondary", "POST"), ("primary", "GET")):
            calls.notice(_underway(f"{listener}-{method}", listener, method))

        assert calls.words() == "1 call had not ended"

    def test_the_end_may_be_told_first(self, calls: OpenCalls) -> None:
        """Records of the proxy and its answers to our questions come over two connections."""
        drill = Drill()
        calls.notice(_underway(drill.exchange(None, "primary", 1), "primary"))
        early = drill.exchange(None, "primary", 1)
        for record in drill.records:
            calls.notice(record)
        calls.notice(_underway(early, "primary"))

        assert calls.words() == "all calls have ended"

    def test_nobody_sees_calls(self, order: Order) -> None:
        """Then nothing is said about them."""
        assert OpenCalls(replace(order.experiment.claims(), external=True, entry=None)).words() == ""


def _underway(name: str, listener: str, method: str = "POST") -> Underway:
    facts: dict[str, Any] = {"ordinal": 1, "call": None, "model": None, "stream": True}
    return Underway(
        at=ORIGIN + 5, id=name, listener=listener, method=method, dialect="openai.chat", began_at=ORIGIN, **facts
    )


def test_quiet_runs_print_nothing(order: Order, capsys: pytest.CaptureFixture[str]) -> None:
    """--json leaves both streams to the report."""
    with watching(order, quiet=True) as notice:
        for record in _records():
            notice(record)

    assert capsys.readouterr() == ("", "")
