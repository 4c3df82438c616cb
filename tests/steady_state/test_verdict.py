"""The verdict: three values, exit codes in their order, the same bytes for the same journal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chaosproxy.journal.reading import read_journal
from chaosproxy.journal.records import GateJudged, Mark, Opened, Run, Trouble
from chaosproxy.journal.traffic import Call, FaultHit, Lag
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.verdict import judge, replay_line, verdict_json
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge, text_of

if TYPE_CHECKING:
    from chaosproxy.steady_state.findings import Verdict


def judged(drill: Drill) -> Verdict:
    """The verdict on a made-up run."""
    return judge(drill.journal(), drill.claims)


def sentences(verdict: Verdict, kind: str) -> str:
    """All findings of one kind, a line each."""
    return "\n".join(finding.sentence for finding in verdict.findings if finding.kind == kind)


@pytest.fixture
def drill() -> Drill:
    """A minute of good calls; one of them met a fault and its gateway asked the other backend."""
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.traffic(0, 60)
    drill.exchange("saved", "primary", 12.5, hit="cut", sent=cut_edge(ORIGIN + 12.5))
    drill.exchange("saved", "secondary", 13)
    drill.call("saved", 12.5, took=2)
    drill.expect("success >= 95%")
    drill.expect("silent_truncated == 0")
    return drill


def test_run_that_meets_its_claims_is_held(drill: Drill) -> None:
    """Everything held, the fault hit, the heal was verified: held, exit 0, and the pass says what it rests on."""
    verdict = judged(drill)

    assert (verdict.verdict, verdict.exit_code) == (State.HELD, 0)
    assert [row.state for row in verdict.expectations] == [State.HELD, State.HELD]
    assert verdict.headline.startswith("all 2 expectations held")
    assert "1 call that stream.truncate (fault 'cut') hit got a whole answer from secondary" in verdict.headline
    assert verdict.outcomes == {"ok": 61}
    assert verdict.replay == "chaosproxy run drill.yaml --seed 7"


def test_verdict_of_the_same_journal_is_the_same_bytes(drill: Drill) -> None:
    """Judging again, from the lines of the file, gives byte-equal JSON."""
    first = verdict_json(judged(drill))

    again = verdict_json(judge(read_journal(drill.lines()), drill.claims))

    assert first == again
    assert json.loads(first)["verdict"] == "held"


def test_row_tells_value_margin_samples_and_window(drill: Drill) -> None:
    """A line of the report has the numbers, relative to the origin."""
    row = judged(drill).expectations[0]

    assert (row.id, row.observed, row.value, row.bound, row.samples) == ("success", "100%", 1.0, 0.95, 61)
    assert (row.window, row.from_s, row.to_s, row.against, row.first_against) == ("all", 0.0, 60.0, 0, None)
    assert row.margin == pytest.approx(0.05)


def test_fault_account_tells_plan_and_truth(drill: Drill) -> None:
    """The faults' table has planned and real times and the hits."""
    account = judged(drill).faults[0]

    assert (account.planned_at_s, account.applied_at_s, account.healed_at_s) == (10, 10.0, 20.0)
    assert (account.hits, account.min_hits, account.enough) == (1, 1, True)


def test_removed_hits_make_the_run_inconclusive(drill: Drill) -> None:
    """An edited journal without the hits proves nothing: exit 3, and the finding says so."""
    drill.records = [record for record in drill.records if not isinstance(record, FaultHit)]

    verdict = judged(drill)

    assert (verdict.verdict, verdict.exit_code) == (State.INCONCLUSIVE, 3)
    assert "fault 'cut' (stream.truncate) made 0 of at least 1 hits" in verdict.headline


def test_one_truncated_call_makes_the_run_deviate(drill: Drill) -> None:
    """An edited journal in which one call is cut deviates: exit 1, and names the call."""
    index = next(i for i, record in enumerate(drill.records) if isinstance(record, Call))
    call = drill.records[index]
    drill.records[index] = call.model_copy(update={"text": text_of(CUT), "kept_chars": len(CUT)})

    verdict = judged(drill)

    assert (verdict.verdict, verdict.exit_code) == (State.DEVIATED, 1)
    assert verdict.expectations[1].first_against == "good-primary-0-0"
    assert "1 call got a cut answer that was passed off as whole" in verdict.headline


def test_torn_last_line_makes_the_run_inconclusive(drill: Drill) -> None:
    """An edited journal whose last line is torn has no end: exit 3."""
    lines = drill.lines()
    lines[-1] = lines[-1][: len(lines[-1]) // 2]

    verdict = judge(read_journal(lines), drill.claims)

    assert (verdict.verdict, verdict.exit_code, verdict.ended) == (State.INCONCLUSIVE, 3, "unknown")
    assert verdict.health.torn
    assert "torn" in sentences(verdict, "inconclusive")


def test_deviated_wins_over_inconclusive(drill: Drill) -> None:
    """What is known to be wrong is not hidden by what is not known."""
    drill.expect("ttft.p99 <= 1s")
    drill.expect("success <= 50%", id="low")

    verdict = judged(drill)

    assert [row.state.value for row in verdict.expectations] == ["held", "held", "inconclusive", "deviated"]
    assert verdict.exit_code == 1
    assert "61 samples, it needs 1000" in sentences(verdict, "inconclusive")


def test_gate_that_did_not_hold_is_inconclusive(drill: Drill) -> None:
    """Nothing was injected, so nothing is judged: never a pass, never a deviation."""
    down = Drill(ended="gate", healed=None)
    down.claims = drill.claims
    down.records.append(GateJudged(at=ORIGIN + 5, held=False, reasons=["success >= 99%: 0%"]))
    down.call("down", 1, "", error="connect", status=None)

    verdict = judged(down)

    assert (verdict.verdict, verdict.exit_code, verdict.gate_held) == (State.INCONCLUSIVE, 3, False)
    assert verdict.headline == "the gate did not hold, so nothing was injected: success >= 99%: 0%"
    assert verdict.expectations == ()


def test_gate_that_nobody_could_judge_is_not_said_to_have_failed(drill: Drill) -> None:
    """The number may look good; nothing was injected all the same."""
    unknown = Drill(ended="gate", healed=None)
    unknown.claims = drill.claims
    reasons = ["success >= 98% could not be judged: the right text of 9 calls is not known"]
    unknown.records.append(GateJudged(at=ORIGIN + 5, held=False, reasons=reasons, unknown=True))
    unknown.good("a", 1)

    verdict = judged(unknown)

    assert (verdict.verdict, verdict.gate_held) == (State.INCONCLUSIVE, False)
    assert verdict.headline == f"the gate was not seen to hold, so nothing was injected: {reasons[0]}"


@pytest.mark.parametrize(
    ("ended", "code", "words"),
    [
        ("interrupted", 130, "the run was interrupted"),
        ("terminated", 143, "the run was terminated"),
        ("aborted", 4, "the run was aborted"),
        ("error", 5, "the run ended with an error"),
        (None, 3, "does not say how the run ended"),
    ],
)
def test_run_that_broke_off_is_never_held(drill: Drill, ended: str | None, code: int, words: str) -> None:
    """How a run ended has its exit code, and what was claimed is not held by a part of it."""
    drill.ended = ended

    verdict = judged(drill)

    assert (verdict.verdict, verdict.exit_code) == (State.INCONCLUSIVE, code)
    assert words in verdict.headline


@pytest.mark.parametrize(("ended", "code"), [("aborted", 4), ("interrupted", 130), ("completed", 1)])
def test_way_a_run_ended_comes_before_its_deviation(drill: Drill, ended: str, code: int) -> None:
    """Of several exit codes the first of 5, 130, 4, 1, 3 is taken."""
    drill.ended = ended
    drill.expect("success <= 50%")

    assert judged(drill).exit_code == code


def test_heal_that_was_not_verified_is_an_error(drill: Drill) -> None:
    """A fault that may still be there is worse than any deviation: exit 5, even after an interruption."""
    drill.healed = False
    drill.ended = "interrupted"

    assert judged(drill).exit_code == 5


def test_missing_proof_of_the_heal_is_inconclusive(drill: Drill) -> None:
    """A complete run with faults says whether they healed."""
    drill.healed = None

    assert judged(drill).exit_code == 3


def test_part_of_ours_that_died_is_an_error(drill: Drill) -> None:
    """Trouble on our side is no verdict about the system."""
    drill.records.append(Trouble(at=ORIGIN + 30, part="load", detail="it died"))

    verdict = judged(drill)

    assert (verdict.exit_code, verdict.headline) == (5, "load: it died")


def test_trouble_of_a_stopped_run_is_no_error(drill: Drill) -> None:
    """Who stops a run breaks its parts; that is exit 130, not 5."""
    drill.ended = "interrupted"
    drill.records.append(Trouble(at=ORIGIN + 30, part="load", detail="it died"))

    assert judged(drill).exit_code == 130


@pytest.mark.parametrize("part", ["journal", "events"])
def test_lost_records_make_the_run_inconclusive(drill: Drill, part: str) -> None:
    """A journal with holes cannot prove that nothing happened."""
    drill.records.append(Trouble(at=ORIGIN + 30, part=part, detail="12 records of the proxy"))

    verdict = judged(drill)

    assert verdict.exit_code == 3
    assert "records were lost: 12 records of the proxy" in verdict.headline


def test_requests_that_the_proxy_refused_make_the_run_inconclusive(drill: Drill) -> None:
    """A bound of our own failed calls that the system would have answered; it is told once, however often."""
    drill.records += [
        Trouble(at=ORIGIN + at, part="limits", detail="the proxy refused 9 x connections") for at in (1, 2)
    ]

    verdict = judged(drill)

    assert verdict.exit_code == 3
    assert verdict.headline.startswith("the proxy refused 9 x connections (and in 1 more records)")


def test_dropped_calls_make_the_run_inconclusive(drill: Drill) -> None:
    """A load that could not send what it should is no load."""
    drill.call("dropped", 30, "", dropped=True, end_at=None, status=None)

    verdict = judged(drill)

    assert (verdict.exit_code, verdict.health.dropped, verdict.calls) == (3, 1, 61)


def test_clocks_of_two_hosts_make_the_run_inconclusive(drill: Drill) -> None:
    """Monotonic clocks of different hosts cannot be compared."""
    drill.records.append(Opened(process="proxy", host="other", pid=2, mono=1.0, wall=1.0, chaosproxy="0"))

    assert "2 hosts" in sentences(judged(drill), "inconclusive")


def test_run_without_calls_is_inconclusive() -> None:
    """No traffic, no verdict."""
    drill = Drill()
    drill.expect("silent_truncated == 0")

    verdict = judged(drill)

    assert verdict.exit_code == 3
    assert "no call was made at all" in sentences(verdict, "inconclusive")


def test_external_load_is_judged_by_exchanges() -> None:
    """Without a client of ours, expectations on exchanges can still hold."""
    drill = Drill(run_settings={"load": "none"})
    drill.exchange(None, "primary", 3)
    drill.expect("upstream_requests == 1")

    assert judged(drill).exit_code == 0


def test_empty_hypothesis_proves_nothing(drill: Drill) -> None:
    """Nothing claimed is nothing held."""
    drill.claims = replace(drill.claims, hypothesis=())

    assert judged(drill).exit_code == 3


def test_health_shows_the_worst_lag_of_each_process(drill: Drill) -> None:
    """The report says how late our own processes were."""
    for p99_s in (0.01, 0.2, 0.05):
        drill.records.append(Lag(process="load", what="send", at=ORIGIN + 5, samples=10, p99_s=p99_s, max_s=0.3))
    drill.records.append(Lag(process="proxy", what="loop", at=ORIGIN + 5, samples=10, p99_s=0.02, max_s=0.3))

    health = judged(drill).health

    assert (health.send_lag_p99_s, health.loop_lag_p99_s) == ({"load": 0.2}, {"proxy": 0.02})


def test_same_cause_is_told_once(drill: Drill) -> None:
    """Two expectations that break for one reason share one sentence."""
    for number in range(10):
        drill.exchange(f"cut-{number}", "primary", 14, hit="cut", sent=cut_edge(ORIGIN + 14))
        drill.call(f"cut-{number}", 14, CUT, finish=None, terminal=False)

    deviated = [finding for finding in judged(drill).findings if finding.kind == "deviated"]

    assert [finding.about for finding in deviated] == [("success", "silent_truncated")]


def test_replay_line_quotes_what_a_shell_would_break() -> None:
    """The line can be pasted as it stands."""
    run = Run(
        id="r", name="n", seed=3, nonce="n", vars={"rps": "20", "p": "a b"}, file="my drill.yaml", file_sha256="0"
    )

    assert replay_line(run) == "chaosproxy run 'my drill.yaml' --seed 3 -D 'p=a b' -D rps=20"


def test_run_that_ended_in_its_warm_up_is_judged_in_words(drill: Drill) -> None:
    """Without an origin no window is known, and that is said instead of a traceback."""
    journal = drill.journal()
    records = tuple(r for r in journal.records if not (isinstance(r, Mark) and r.name == "origin"))

    verdict = judge(replace(journal, records=records), drill.claims)

    assert verdict.exit_code == 3
    assert "the run ended before its origin" in sentences(verdict, "inconclusive")


def test_values_without_an_end_are_still_json(drill: Drill) -> None:
    """Infinity is no JSON: a value that never came is null, and its text says never."""
    drill.call("failed", 30, "", error="connect", status=None)
    drill.expect("ttft.max <= 1s")

    row = json.loads(verdict_json(judged(drill)))["expectations"][2]

    assert (row["value"], row["observed"], row["margin"], row["state"]) == (None, "never", None, "deviated")


def test_numbers_have_six_digits() -> None:
    """Floats are rounded, so that no machine writes other bytes."""
    drill = Drill()
    drill.call("a", 1)
    drill.call("b", 2)
    drill.call("c", 3, CUT)
    drill.expect("success >= 95%")

    assert '"value": 0.666667' in verdict_json(judged(drill))
