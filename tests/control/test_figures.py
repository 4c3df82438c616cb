"""Counts and times of a proxy, from records."""

from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.control.figures import FAULTS_MAX, RATE_S, Figures
from chaosproxy.control.outcomes import Fate
from chaosproxy.control.summaries import errors, events, read_target, slo, streaming, summary
from chaosproxy.errors import UserError
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import AnyRecord, FaultEdge, Trouble
from chaosproxy.journal.traffic import ConnectionRecord, Edge, ExchangeRecord, FaultHit, FaultMiss, Lag


class Clock:
    """Monotonic seconds of the test's choice."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """At 1000."""
    return Clock()


@pytest.fixture
def figures(clock: Clock) -> Figures:
    """Nothing has happened."""
    return Figures(clock)


def _tell(figures: Figures, *records: AnyRecord) -> None:
    for record in records:
        figures.add(Entry.of(record))


def _exchange(*, status: int = 200, stream: bool = True, ended: str = "end", **changes: Any) -> ExchangeRecord:
    edge = {"status": status, "ended": ended, "terminal": status == 200, "head_at": 10.1, "end_at": 13.0}
    passed = {**edge, "first_content_at": 10.5, "tokens": 6}
    values = {
        "id": "a-t-1",
        "listener": "a",
        "ordinal": 1,
        "call": None,
        "attempt": 1,
        "method": "POST",
        "path": "/",
        "dialect": "openai.chat",
        "model": "m",
        "stream": stream,
        "began_at": 10.0,
        "asked_at": 10.25,
        "sent": passed,
        "received": {**passed, "first_content_at": 10.35},
        **changes,
    }
    return ExchangeRecord.model_validate(values)


def _applied(fault: str, fault_type: str = "http.status") -> FaultEdge:
    return FaultEdge(fault=fault, edge="applied", at=1.0, listeners=["a"], fault_type=fault_type)


def test_times_are_those_of_both_edges(figures: Figures) -> None:
    """The client's from its request, the upstream's from when it was asked; gaps are means over a stream."""
    _tell(figures, _exchange())

    assert figures.ttft["a", "openai.chat", "client"].sum_s == pytest.approx(0.5)
    assert figures.ttft["a", "openai.chat", "upstream"].sum_s == pytest.approx(0.1)
    assert figures.chunks["a", "openai.chat", "client"].sum_s == pytest.approx(2.5 / 5)
    assert figures.durations["a", "ok"].sum_s == pytest.approx(3.0)
    assert sum(figures.ttft["a", "openai.chat", "client"].counts) == 1


def test_a_plain_answer_has_no_time_to_a_token(figures: Figures) -> None:
    """Only how long it took."""
    _tell(figures, _exchange(stream=False))

    assert not figures.ttft
    assert not figures.chunks
    assert sum(figures.durations["a", "ok"].counts) == 1


def test_a_duration_on_a_bound_belongs_below_it(figures: Figures) -> None:
    """``le`` is less or equal; what is above all bounds has a bucket too."""
    histogram = figures.durations["a", "ok"]
    histogram.add(1.0)
    histogram.add(1.0001)
    histogram.add(9999.0)

    one = histogram.bounds_s.index(1.0)
    assert histogram.counts[one : one + 2] == [1, 1]
    assert histogram.counts[-1] == 1


def test_faults_add_up(figures: Figures) -> None:
    """Of three exchanges that a fault saw it hit one, let one pass, and could do nothing on the third."""
    _tell(
        figures,
        _applied("f", "stream.truncate"),
        _exchange(attached=["f"], status=200),
        _exchange(misses=[FaultMiss(fault="f", reason="share: drew 0.9, chosen below 0.5")]),
        _exchange(attached=["f"], misses=[FaultMiss(fault="f", reason="the answer ended before token 5")]),
        _exchange(),
    )

    series = ("a", "f", "stream.truncate")
    assert figures.seen == {series: 3}
    assert {fate: counts[series] for fate, counts in figures.fates.items()} == dict.fromkeys(Fate, 1)


def test_upstream_errors_are_apart_from_injected_ones(figures: Figures) -> None:
    """A status that we made, one of the upstream's, and a connection that failed under a fault that only delayed it."""
    nothing = Edge()
    _tell(
        figures,
        _applied("f"),
        _exchange(status=503, attached=["f"], received=nothing, asked_at=None),
        _exchange(status=503),
        _exchange(status=502, attached=["f"], received=nothing, error="connect: connection refused"),
    )

    assert figures.failures == {("a", "injected"): 1, ("a", "upstream"): 2}
    assert figures.upstream_errors == {("a", "http_5xx"): 1, ("a", "connect"): 1}


def test_what_the_client_never_saw_is_an_upstream_error_and_no_failure(figures: Figures) -> None:
    """A fault made a good answer of a bad one: the exchange is ok, and the upstream's error is still counted."""
    _tell(figures, _exchange(received={"status": 500, "ended": "end"}, attached=["f"]))

    assert not figures.failures
    assert figures.upstream_errors == {("a", "http_5xx"): 1}


def test_series_do_not_grow_with_the_ids_of_faults(figures: Figures) -> None:
    """Ids beyond the limit are one series, and those that requests make up another, by the fault's type."""
    _tell(figures, *(_applied(f"f{number}") for number in range(FAULTS_MAX + 50)))
    for number in range(FAULTS_MAX + 50):
        _tell(figures, _exchange(attached=[f"f{number}"]))
    for name in ("http.status", "http.status-2", "mine", "http.status-3"):
        _tell(figures, _exchange(attached=[f"header.{name}"]))

    assert len(figures.seen) == FAULTS_MAX + 3
    assert figures.seen["a", "other", ""] == 50
    assert figures.seen["a", "header", "http.status"] == 3
    assert figures.seen["a", "header", ""] == 1


def test_hits_of_exchanges_are_not_counted_twice(figures: Figures) -> None:
    """Only those on connections that carried none."""
    _tell(
        figures,
        _applied("f", "conn.reset"),
        FaultHit(fault="f", at=1.0, listener="a", exchange="a-t-1"),
        FaultHit(fault="f", at=1.0, listener="a", connection="a#1"),
        FaultHit(fault="f", at=1.0, listener="a"),
    )

    assert figures.connection_hits == {("a", "f", "conn.reset"): 2}
    assert not figures.seen


def test_connections_of_a_tcp_listener(figures: Figures) -> None:
    """By who ended them, with the bytes both ways; one that could not be made is an upstream error."""
    common: dict[str, Any] = {"listener": "db", "began_at": 1.0, "end_at": 2.0}
    _tell(
        figures,
        ConnectionRecord(id="1", number=1, ended="client", upstream_bytes=3, downstream_bytes=5, **common),
        ConnectionRecord(id="2", number=2, ended="client", upstream_bytes=10, **common),
        ConnectionRecord(id="3", number=3, ended="refused", error="connect: connection refused", **common),
    )

    assert figures.connections == {("db", "client"): 2, ("db", "refused"): 1}
    assert figures.connection_bytes == {("db", "upstream"): 13, ("db", "downstream"): 5}
    assert figures.upstream_errors == {("db", "connect"): 1}


def test_lag_and_troubles(figures: Figures) -> None:
    """The newest lag of the loop, not that of a sender; troubles by their part."""
    _tell(
        figures,
        Lag(process="proxy", what="loop", at=1.0, samples=20, p99_s=0.5, max_s=0.75),
        Lag(process="proxy", what="loop", at=2.0, samples=20, p99_s=0.25, max_s=0.5),
        Lag(process="proxy", what="send", at=2.0, samples=20, p99_s=9.0, max_s=9.0),
        Trouble(at=1.0, part="limits", detail="the proxy itself refused requests: 1 x connections"),
    )

    assert (figures.lag_p99_s, figures.lag_max_s) == (0.25, 0.5)
    assert figures.troubles == {"limits": 1}


class TestSummaries:
    """The pages in JSON."""

    def test_before_the_first_request_nothing_is_wrong(self, figures: Figures) -> None:
        """No division by zero, no failure, no percentile."""
        assert summary(figures)["avg_response_time"] == 0.0
        assert errors(figures)["error_rate"] == 0.0
        assert streaming(figures)["ttft_percentiles"] is None
        assert slo(figures)["success_rate"] == 1.0
        assert slo(figures)["error_budget_remaining"] == 1.0

    def test_they_agree(self, figures: Figures) -> None:
        """Totals are the same on all pages, and what belongs together adds up."""
        _tell(figures, _exchange(), _exchange(status=500), _exchange(stream=False), _exchange(ended="gone"))

        assert summary(figures)["total_requests"] == errors(figures)["total_requests"] == 4
        assert errors(figures)["total_errors"] == 2
        assert errors(figures)["errors_by_cause"] == {"upstream": 1, "injected": 0, "client": 1, "proxy": 0}
        assert streaming(figures)["successful_streams"] == 1
        assert streaming(figures)["failed_streams"] == 2
        assert slo(figures)["success_rate"] == 1 - errors(figures)["error_rate"]
        assert events(figures) == {"events_published": 4, "events_processed": 4, "queue_depth": 0}

    def test_a_cleanly_cut_stream_has_failed(self, figures: Figures) -> None:
        """It ended as framed, without its last events."""
        _tell(figures, _exchange(sent={"status": 200, "ended": "end", "end_at": 11.0, "tokens": 3}, attached=["f"]))

        assert streaming(figures)["failed_streams"] == 1
        assert errors(figures)["errors_by_cause"]["injected"] == 1

    def test_the_rate_is_that_of_the_last_minute(self, figures: Figures, clock: Clock) -> None:
        """Of less at the beginning; what is older is forgotten."""
        clock.now += 2
        _tell(figures, _exchange(), _exchange())
        early = figures.per_second
        clock.now += RATE_S - 2
        _tell(figures, _exchange())
        late = figures.per_second
        clock.now += RATE_S

        assert early == 1.0
        assert late == pytest.approx(3 / RATE_S)
        assert figures.per_second == 0.0

    @pytest.mark.parametrize(
        ("failed", "target", "remaining"), [(0, 0.9, 1.0), (1, 0.9, 0.5), (2, 0.9, 0.0), (5, 0.9, 0.0)]
    )
    def test_the_error_budget(self, figures: Figures, failed: int, target: float, remaining: float) -> None:
        """Of twenty requests two may fail where 90 % should succeed; overspent, nothing is left."""
        _tell(figures, *(_exchange(status=500 if number < failed else 200) for number in range(20)))

        assert slo(figures, target)["error_budget_remaining"] == pytest.approx(remaining)
        assert slo(figures, target)["error_budget_spent"] == pytest.approx(failed / 2)

    def test_percentiles_are_values_that_were_measured(self, figures: Figures) -> None:
        """Nearest rank."""
        figures.ttfts_s.extend(number / 100 for number in range(100, 0, -1))

        assert streaming(figures)["ttft_percentiles"] == {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}

    @pytest.mark.parametrize("text", ["", "x", "1", "100%", "-0.1", "nan", "inf", "1e999"])
    def test_a_target_must_be_a_share(self, text: str) -> None:
        """Below 1, or there is no budget to divide."""
        with pytest.raises(UserError, match="target: expected a share"):
            read_target(text)

    def test_a_target_may_be_in_percent(self) -> None:
        """As everywhere else."""
        assert read_target("99.9%") == pytest.approx(read_target("0.999"))
