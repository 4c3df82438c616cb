"""The numbers of each part, over a made-up run whose numbers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chaosproxy.report.facts import timeline as timeline_part
from chaosproxy.report.facts.gather import Facts, gather
from chaosproxy.report.facts.outline import outline_of, outline_of_lines
from chaosproxy.report.facts.reservoir import Reservoir
from chaosproxy.report.facts.words import in_words
from chaosproxy.steady_state.claims import watched_by
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge, edge, silent_edge


@pytest.fixture
def drill() -> Drill:
    """The primary is dark from 10 s to 30 s: the secondary answers, but one call is cut, and one cut is told."""
    drill = Drill()
    drill.fault("dark", "partition", "primary", at=10, lasts=20)
    drill.traffic(0, 10)
    for number in range(18):
        at = 11.0 + number
        drill.exchange(
            f"moved-{number}", "primary", at, hit="dark", asked_at=None, sent=silent_edge(ORIGIN + at, ORIGIN + at + 1)
        )
        drill.exchange(f"moved-{number}", "secondary", at + 1)
        drill.call(f"moved-{number}", at, took=2.0, gaps_ms=[10, 1000])
    drill.exchange("lied", "secondary", 12.2, sent=cut_edge(ORIGIN + 12.2))
    drill.call("lied", 12.2, CUT)
    drill.exchange(
        "told", "secondary", 13.2, missed={"dark": "share: drew 0.9, chosen below 0.5"}, sent=cut_edge(ORIGIN + 13.2)
    )
    drill.call("told", 13.2, CUT, error="incomplete")
    drill.traffic(30, 60)
    drill.expect("silent_truncated == 0")
    drill.expect("recovery_time(dark) <= 5s")
    return drill


def _facts(drill: Drill) -> tuple[Facts, Verdict]:
    journal, verdict = drill.journal(), judge(drill.journal(), drill.claims)
    return gather(outline_of(journal), journal.records, verdict), verdict


def test_a_file_has_the_outline_of_its_journal(drill: Drill, tmp_path: Path) -> None:
    """Read cheaply or as records, the frame is the same; a torn line changes nothing."""
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(drill.lines()) + '{"type":"ma')

    with path.open("rb") as lines:
        assert outline_of_lines(lines) == outline_of(drill.journal())


def test_the_timeline_has_every_call_and_who_answered(drill: Drill) -> None:
    """Points are calls; the curves count them by the time when they should have been sent."""
    facts, verdict = _facts(drill)
    timeline = facts.timeline

    assert timeline.calls == len(timeline.points) == verdict.calls == 60
    assert (timeline.from_s, timeline.curves.at[0]) == (-2.0, -2.0)
    served = {name: sum(values) * timeline.curves.width_s for name, values in timeline.curves.served.items()}
    assert served == pytest.approx({"primary": 40, "secondary": 19, "nobody": 1})
    assert min(timeline.curves.in_flight) >= 0


def test_many_calls_are_sampled_and_failures_are_not_lost(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page can say how many of how many it shows."""
    for name, most in (("POINTS_MAX", 15), ("_GOOD_MAX", 10), ("_BAD_MAX", 5)):
        monkeypatch.setattr(timeline_part, name, most)

    timeline = _facts(drill)[0].timeline

    assert (timeline.calls, len(timeline.points)) == (60, 12)
    assert {point[3] for point in timeline.points} >= {"lied", "told"}


def test_a_fault_has_its_hits_its_share_and_what_the_bytes_became(drill: Drill) -> None:
    """Eighteen of nineteen draws hit; none of the hit requests reached the upstream."""
    (effect,) = _facts(drill)[0].effects

    assert (effect.id, effect.type, effect.listeners, effect.hits) == ("dark", "partition", ("primary",), 18)
    assert (effect.applied_at_s, effect.healed_at_s) == (10.0, 30.0)
    assert (effect.share, effect.drawn, effect.realised) == (0.5, 19, 18 / 19)
    assert (effect.bytes.answers, effect.bytes.unasked) == (18, 18)
    assert effect.meanwhile is not None
    assert effect.meanwhile.served == {"nobody": 1, "secondary": 19}


def test_one_sentence_says_what_when_who_and_how_long(drill: Drill) -> None:
    """It stands on top of the page."""
    facts, verdict = _facts(drill)

    assert in_words(facts.effects[0], verdict) == (
        "partition at primary from 10s to 30s, 18 hits. Meanwhile 90% of 20 calls were right; answered by "
        "secondary (19), nobody (1). Lasting success 4.20s after it began. primary served again 200ms after it ended."
    )


def test_streams_are_told_by_what_was_said_and_what_was_there(drill: Drill) -> None:
    """A lie and a flagged cut are different cells; the lie is the worst stream."""
    streams = _facts(drill)[0].streams

    assert streams.flawed == 1
    assert streams.matrix["answer"]["whole"] == 58
    assert streams.matrix["answer"]["cut"] == 1
    assert streams.matrix["error"]["cut"] == 1
    assert [one.id for one in streams.worst[:2]] == ["lied", "told"]
    assert sum(map(sum, streams.gaps.counts)) == 36


def test_chains_of_attempts_are_grouped(drill: Drill) -> None:
    """Eighteen calls went the same way."""
    attempts = _facts(drill)[0].attempts

    (chain,) = attempts.chains
    assert [(link.listener, link.ended) for link in chain.links] == [
        ("primary", "given up by the client"),
        ("secondary", "answered"),
    ]
    assert (chain.calls, chain.outcomes, chain.example) == (18, {"ok": 18}, "moved-0")
    assert (attempts.by_requests, attempts.amplification) == ({1: 42, 2: 18}, 78 / 60)


def test_phases_have_the_same_measures(drill: Drill) -> None:
    """Before, the calls that were caught, during, after."""
    phases = {phase.name: phase for phase in _facts(drill)[0].phases}

    assert {name: phase.calls for name, phase in phases.items()} == {
        "before": 10,
        "under way when it began": 0,
        "during": 20,
        "after": 30,
    }
    assert (phases["during"].success, phases["during"].flawed, phases["during"].admitted) == (0.9, 1, 1)
    assert phases["after"].ttft_p50 == pytest.approx(0.2)


def test_named_calls_have_their_requests(drill: Drill) -> None:
    """The first violating call can be followed to what it cost."""
    facts, verdict = _facts(drill)
    first = verdict.expectations[0].first_against

    (named,) = (call for call in facts.calls if call.id == first)
    assert named.outcome == "silent_truncated"
    assert [request.listener for request in named.requests] == ["secondary"]


def test_a_journal_without_a_run_is_shown_too() -> None:
    """The proxy writes journals without calls, marks and a verdict."""
    drill = Drill()
    drill.exchange(None, "primary", 5)
    drill.exchange("x", "primary", 6)
    records = drill.journal().records
    journal = type(drill.journal())((records[0], *records[5:]))

    facts = gather(outline_of(journal), journal.records, None)

    assert (facts.timeline.calls, facts.streams.streams, list(facts.effects)) == (0, 0, [])


def test_calls_of_others_are_those_of_the_verdict() -> None:
    """They are told from the requests at the entry listener, with who answered behind it."""
    drill = Drill(run_settings={"load": "external"})
    backends = ("front", "primary", "secondary")
    drill.claims = replace(drill.claims, external=True, entry="front", backends=backends, oracle="upstream")
    drill.run_settings["watched"] = watched_by(drill.claims)
    for at in range(10):
        drill.exchange(f"c{at}", "primary", at)
        drill.exchange(f"c{at}", "front", at, sent=cut_edge(ORIGIN + at) if at == 5 else edge(ORIGIN + at))

    facts, verdict = _facts(drill)

    assert facts.timeline.calls == verdict.calls == 10
    assert list(facts.timeline.curves.served) == ["primary"]
    assert [call.outcome for call in facts.calls if call.outcome != "ok"] == ["silent_truncated"]


def test_a_reservoir_is_bounded_and_fair() -> None:
    """Each value has the same chance; the same values leave the same sample."""
    first, second = Reservoir[int](100), Reservoir[int](100)
    for value in range(10_000):
        first.add(value)
        second.add(value)

    assert (len(first.kept), first.seen) == (100, 10_000)
    assert first.kept == second.kept
    assert 3_000 < sum(first.kept) / 100 < 7_000
