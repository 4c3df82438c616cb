"""The parts of a soak: plans over the whole catalogue, calls, the slope of memory, bars and their page."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.soak import page
from benchmarks.soak.audit import Audit
from benchmarks.soak.bars import judge
from benchmarks.soak.calls import Calls
from benchmarks.soak.changes import RULES, Changes
from benchmarks.soak.conductor import Found, Plans
from benchmarks.soak.watch import Figures, Scrape, slope_mb
from chaosproxy.control.outcomes import Fate
from chaosproxy.faults import REGISTRY
from chaosproxy.plan.rule import Rule

CATALOGUE = {fault.type for fault in REGISTRY}


def plans(count: int, seed: int = 1) -> list[list[Rule]]:
    """The first ones."""
    changes = Changes(seed, ("a", "b"), ("bytes",))
    return [changes.next() for _ in range(count)]


def test_plans_go_round_the_whole_catalogue() -> None:
    """All of them soon, and about as often; the same ones for the same seed."""
    turns = Counter(rule.do.type for plan in plans(10 * len(CATALOGUE)) for rule in plan)

    assert {rule.do.type for plan in plans(len(CATALOGUE) // RULES + 2) for rule in plan} == CATALOGUE
    assert set(turns) == CATALOGUE
    assert max(turns.values()) - min(turns.values()) <= 10
    assert plans(5) == plans(5) != plans(5, seed=2)


def test_plans_are_such_as_a_proxy_takes() -> None:
    """No id twice in one, nothing about requests where there are none; a port is never closed for long."""
    for plan in plans(500):
        assert len({rule.id for rule in plan}) == len(plan)
        assert [rule.why_not_on_tcp for rule in plan if "bytes" in rule.listeners] == [None] * sum(
            "bytes" in rule.listeners for rule in plan
        )
        assert all((rule.lasts or 9) < 1 for rule in plan if rule.do.gate() is not None)


def test_calls_are_counted_by_their_ends() -> None:
    """A call that was never sent is none; one without an end is stuck, and so is one that hung."""
    calls = Calls()
    for line in (
        '{"type":"opened"}',
        '{"type":"sent"}',
        '{"type":"sent"}',
        '{"type":"call"}',
        '{"type":"sent"}',
        '{"type":"call","error":{"kind":"hung"}}',
        '{"type":"call","dropped":true}',
    ):
        calls.add(line)

    assert (calls.sent, calls.dropped, calls.ended, calls.open_most) == (3, 1, {"ok": 1, "hung": 1}, 2)
    assert calls.stuck == 2


def test_the_slope_of_memory() -> None:
    """In MB per ten minutes, of what was seen after the stores had filled; too little of that is no slope."""
    grown = [(1000.0 + second, 50_000_000 + 10_000 * max(0, second - 300)) for second in range(900)]
    filling = [(at, rss if at >= 1300 else 100 * rss) for at, rss in grown]

    assert slope_mb(filling, 300.0) == pytest.approx(6.0)
    assert slope_mb(grown[:350], 300.0) is None


REST = Figures(at_s=0, rss_bytes=1, files=22, tasks=5, timers=0, open_exchanges=0, open_connections=0)


def found(**more: object) -> Found:
    """A soak in which all is well."""
    sums = {
        "chaosproxy_exchanges_opened_total": 7,
        "chaosproxy_exchanges_total": 7,
        "chaosproxy_connections_total": 2,
        "chaosproxy_fault_seen_total": 6,
        "chaosproxy_fault_injected_total": 3,
        "chaosproxy_fault_passed_total": 2,
        "chaosproxy_fault_not_applicable_total": 1,
    }
    samples = [(name, frozenset[tuple[str, str]](), float(value)) for name, value in sums.items()]
    samples.append(("chaosproxy_connections_opened_total", frozenset({("listener", "bytes")}), 2.0))
    calls, audit = Calls(sent=7, open_most=200), Audit()
    calls.ended["ok"] = 7
    audit.exchanges["models"], audit.connections["bytes"] = 7, 2
    audit.fates.update({Fate.INJECTED: 3, Fate.PASSED: 2, Fate.NOT_APPLICABLE: 1})
    good = Found(
        seconds=1800,
        streams=200,
        before=REST,
        after=REST,
        sums=Scrape(tuple(samples)),
        seen=[(float(second), 80_000_000) for second in range(1800)],
        calls=calls,
        plans=Plans(swapped=9),
        visits={"tcp": 4},
        audit=audit,
        proxy_code=0,
    )
    return replace(good, **more)  # type: ignore[arg-type]


def test_all_bars_are_met_when_all_is_well() -> None:
    """And the page says so."""
    bars = judge(found())
    assert {bar.met for bar in bars} == {True}
    assert page.words(found(), bars).count("| met |") == len(bars)
    assert "9 times" in page.words(found(), bars)


@pytest.mark.parametrize(
    ("what", "more"),
    [
        (
            "growth of resident memory",
            {"seen": [(float(second), 80_000_000 + 3000 * second) for second in range(1800)]},
        ),
        ("file descriptors", {"after": replace(REST, files=23)}),
        ("tasks", {"after": replace(REST, tasks=6)}),
        ("timers", {"after": replace(REST, timers=1)}),
        ("open when all clients are gone", {"after": replace(REST, open_connections=1)}),
        ("exit code", {"proxy_code": -9}),
        ("calls without an end", {"calls": Calls(sent=7, open=1, open_most=200)}),
        ("streams open at once", {"calls": Calls(sent=7, open_most=100)}),
        ("exchanges: opened", {"audit": Audit()}),
        ("seen =", {"sums": Scrape((("chaosproxy_fault_seen_total", frozenset(), 6.0),))}),
    ],
)
def test_each_bar_can_be_missed(what: str, more: dict[str, object]) -> None:
    """By what it is about."""
    assert any(bar.what.startswith(what) and bar.met is False for bar in judge(found(**more)))


def test_contradictions_are_told() -> None:
    """Their number is a bar, and the page names the kinds."""
    audit = Audit().read([b'{"type":"trouble","part":"faults","detail":"it broke"}']).close()
    assert page.flaws(found(audit=audit)) == ["1 x trouble", "trouble: faults: it broke"]
    assert any(bar.met is False and "contradict" in bar.what for bar in judge(found(audit=audit)))
