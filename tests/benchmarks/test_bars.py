from __future__ import annotations

import pytest

from benchmarks.bars import Judged, bars, judge, verdict
from benchmarks.load import Load
from benchmarks.plan import FULL, IDLE, PLAIN, REQUESTS, SATURATION, bar_turns, idle_turns
from benchmarks.ratios import ratios
from benchmarks.ways import AIMOCK, DIRECT, OURS, TOXIPROXY
from tests.benchmarks.run_of import results, sample

CPU = "200 streams"


def _only(judged: list[Judged], what: str) -> Judged:
    return next(each for each in judged if each.what.startswith(what))


def test_a_bar_stands_on_the_ratio_of_the_same_round() -> None:
    """A round in which everything was dear counts no more than another."""
    run = results(
        CPU,
        Load(200),
        {
            TOXIPROXY: [sample(proxy_cpu_s=0.2), sample(proxy_cpu_s=2.0), sample(proxy_cpu_s=0.2)],
            OURS: [sample(proxy_cpu_s=0.1), sample(proxy_cpu_s=1.0), sample(proxy_cpu_s=0.3)],
        },
    )

    found = _only(judge(run), "CPU per event, 200")

    assert found.ratio is not None
    assert [found.ratio.median, found.ratio.least] == pytest.approx([0.5, 0.5])
    assert found.ratio.greatest == pytest.approx(1.5)
    assert found.verdict == "met"


def test_a_round_that_one_way_missed_is_left_out() -> None:
    """Only rounds that have both are compared."""
    run = results(CPU, Load(200), {TOXIPROXY: [sample(proxy_cpu_s=0.1)], OURS: [sample(), sample(proxy_cpu_s=9.0)]})

    ratio = _only(judge(run), "CPU").ratio

    assert ratio is not None
    assert ratio.greatest == pytest.approx(2.0)


def test_below_the_offered_rate_nothing_is_met() -> None:
    """A proxy that falls behind does less work per event."""
    late = sample(events=19_000, proxy_cpu_s=0.01)
    run = results(CPU, Load(200), {TOXIPROXY: [sample()], OURS: [late]})

    assert _only(judge(run), "CPU").verdict == "not met (95.0% of the offered events arrived)"


def test_without_the_peers_column_nothing_is_judged() -> None:
    """The verdict says why the column is missing."""
    run = results(CPU, Load(200), {OURS: [sample()]})
    run.failures[CPU, TOXIPROXY] = "`go` is not installed"

    assert _only(judge(run), "CPU").verdict == "not judged (Toxiproxy: `go` is not installed)"


def test_latency_is_what_the_proxy_adds() -> None:
    """The direct way's latency is taken off both sides; where nothing is added, it is a hundredth of a millisecond."""
    run = results(
        "500 streams",
        Load(200),
        {
            DIRECT: [sample(event_p50_us=100.0, event_p99_us=500.0)],
            TOXIPROXY: [sample(event_p50_us=90.0, event_p99_us=1_500.0)],
            OURS: [sample(event_p50_us=120.0, event_p99_us=1_000.0)],
        },
    )
    p50, p99 = (_only(judge(run), f"added latency {rank}") for rank in ("p50", "p99"))

    assert p99.ours is not None
    assert p99.ratio is not None
    assert p50.ratio is not None
    assert [p99.ours.median, p99.ratio.median, p50.ratio.median] == pytest.approx([0.5, 0.5, 2.0])
    assert (p50.verdict, p99.verdict) == ("not met", "met")
    assert [ratio.name for ratio in ratios(run) if "latency" in ratio.name] == []  # too small to be the same twice


def test_more_is_better_for_rates() -> None:
    """Plain JSON stands beside two peers with two bounds."""
    run = results(
        PLAIN,
        Load(32, streamed=False),
        {TOXIPROXY: [sample(answers=1000)], AIMOCK: [sample(answers=100)], OURS: [sample(answers=400)]},
    )

    assert [each.verdict for each in judge(run)] == ["not met", "met"]


def test_absolute_bars_need_no_peer() -> None:
    """Latency of a request, open streams and their memory."""
    verdicts = [
        [each.verdict for each in judge(results(turn, Load(10), {way: [seen]}))]
        for turn, way, seen in (
            (REQUESTS, OURS, sample(added_p50_us=290.0, added_p99_us=2_100.0)),
            (IDLE, OURS, sample(open=9_499, proxy_rss_kib=300_000)),
        )
    ]

    assert verdicts == [["met", "not met"], ["not met", "met"]]


def test_memory_is_that_of_processes() -> None:
    """In MB of a million bytes."""
    run = results(SATURATION, Load(1000), {TOXIPROXY: [sample(proxy_rss_kib=200_000)], OURS: [sample()]})

    found = _only(judge(run), "memory")

    assert found.ours is not None
    assert found.ours.median == pytest.approx(51.2)
    assert found.verdict == "met"


@pytest.mark.parametrize(
    ("value", "at_least", "expected"),
    [(1.0, False, "met"), (1.0, True, "met"), (1.01, False, "not met"), (0.99, True, "not met")],
)
def test_the_bound_itself_is_good_enough(value: float, expected: str, *, at_least: bool) -> None:
    """Both ways round."""
    assert verdict(value, 1.0, at_least=at_least) == expected


def test_every_bar_is_part_of_a_full_run() -> None:
    """Its turn, with our way, the peer and, for added latency, the direct way."""
    turns = {turn.name: turn for turn in (*bar_turns(FULL), *idle_turns(FULL))}

    for bar in bars():
        needed = {bar.way, *([bar.peer] if bar.peer else []), *([DIRECT] if bar.added else [])}
        assert needed <= set(turns[bar.turn].ways), bar.what
