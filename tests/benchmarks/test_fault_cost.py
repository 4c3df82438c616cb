from __future__ import annotations

import pytest

from benchmarks.fault_cost import PROBES, Probe, probe
from benchmarks.load import Load
from benchmarks.plan import FULL, TEN_FAULTS, fault_turns
from benchmarks.ratios import fault_costs, judge_faults
from benchmarks.ways import OURS, RELAY
from chaosproxy.faults import CATALOGUE, fault_class
from chaosproxy.faults.base import Fault, Room
from chaosproxy.plan.flat import parse_flat
from tests.benchmarks.run_of import results, sample


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.type)
def test_every_fault_has_settings_or_a_reason(fault: type[Fault]) -> None:
    """What is measured can be written on a command line."""
    found = probe(fault)

    assert found.how
    assert (found.way is None) is (fault().gate() is not None or fault.room is Room.TOXIC)
    if found.way:
        (words,) = found.way.faults
        assert parse_flat(words)["do"]["type"] == fault.type


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("time.inter_token", "time.inter_token mean=0s"),
        ("stream.truncate", "stream.truncate where=token:1000000"),
        ("llm.no_terminal", "llm.no_terminal"),
        ("http.status", "http.status"),
    ],
)
def test_the_least_that_a_fault_can_do_is_measured(name: str, words: str) -> None:
    """Neutral settings, else a place that is never reached, else the defaults."""
    way = probe(fault_class(name)).way

    assert way is not None
    assert way.faults == (words,)


def test_what_answers_itself_is_counted_by_requests() -> None:
    """And what acts on connections is not counted at all."""
    assert not probe(fault_class("http.status")).streamed
    assert probe(fault_class("conn.refuse")).way is None
    assert probe(fault_class("sse.drop")).streamed


def test_every_fault_that_can_be_measured_has_a_turn_with_both_references() -> None:
    """Whatever the catalogue grows to."""
    turns = list(fault_turns(FULL))

    assert {way for turn in turns for way in turn.ways} == {RELAY, OURS, *(each.way for each in PROBES if each.way)}
    assert all({RELAY, OURS} <= set(turn.ways) for turn in turns)


def _costs_of(found: Probe, **changes: float) -> tuple[float, float]:
    assert found.way is not None
    run = results(
        "faults by event, 1",
        Load(200),
        {RELAY: [sample(proxy_cpu_s=0.1)], OURS: [sample()], found.way: [sample(**changes)]},
    )
    (cost,) = fault_costs(run)
    assert cost.of_none
    assert cost.of_relay
    return cost.of_none.median, cost.of_relay.median


def test_a_cost_stands_beside_no_fault_and_the_bare_relay() -> None:
    """Both of the same turn."""
    assert _costs_of(probe(fault_class("ws.drop")), proxy_cpu_s=0.4) == pytest.approx((2.0, 4.0))


def test_the_dearest_fault_is_judged() -> None:
    """One over three times the bare relay is too many."""
    cheap, dear = (probe(fault_class(name)) for name in ("sse.drop", "time.stall"))
    assert cheap.way
    assert dear.way
    run = results(
        "faults by event, 1",
        Load(200),
        {
            RELAY: [sample(proxy_cpu_s=0.1)],
            OURS: [sample()],
            cheap.way: [sample(proxy_cpu_s=0.2)],
            dear.way: [sample(proxy_cpu_s=0.31)],
        },
    )

    (judged,) = judge_faults(run)

    assert judged.what == "CPU per event, the dearest fault (time.stall)"
    assert judged.verdict == "not met"


def test_a_fault_that_holds_every_request_has_no_cost() -> None:
    """The table says so."""
    found = probe(fault_class("conn.blackhole"))
    assert found.way
    run = results("faults by request, 1", Load(32, streamed=False), {found.way: [sample(asked=0, events=0)]})

    (cost,) = fault_costs(run)

    assert (cost.cpu_us, cost.why_missing) == (None, "holds every request: nothing to count")


def test_the_ten_faults_are_ten_kinds() -> None:
    """Each hits one stream in a thousand."""
    rules = [parse_flat(words) for words in TEN_FAULTS.faults]

    assert len({rule["do"]["type"] for rule in rules}) == len(rules) == 10
    assert {rule["share"] for rule in rules} == {"0.1%"}
