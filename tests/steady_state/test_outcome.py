"""Outcomes: detected is never hidden, a correct fallback is never punished, and a cut text is never whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from chaosproxy.journal.fingerprint import Fingerprint
from chaosproxy.journal.traffic import Call, Edge
from chaosproxy.steady_state.expression import parse_expression
from chaosproxy.steady_state.measures import observe
from chaosproxy.steady_state.outcome import ADMITTED, ANSWERED, Outcome
from tests.steady_state.drills import (
    CUT,
    LOSSY,
    ORIGIN,
    WHOLE,
    Drill,
    cut_edge,
    edge,
    expectation,
    refusing_edge,
    silent_edge,
    text_of,
)


def outcome(drill: Drill, name: str = "c") -> Outcome:
    """What became of one call."""
    return next(story.outcome for story in drill.history().stories if story.id == name)


def with_oracle(drill: Drill, oracle: Literal["upstream", "none"]) -> Drill:
    """The same run under another oracle."""
    drill.claims = replace(drill.claims, oracle=oracle)
    return drill


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        (WHOLE, {}, Outcome.OK),
        (WHOLE, {"terminal": False, "finish": None}, Outcome.OK),
        (CUT, {}, Outcome.SILENT_TRUNCATED),
        (CUT, {"terminal": False, "finish": None}, Outcome.SILENT_TRUNCATED),
        ("", {}, Outcome.SILENT_EMPTY),
        (LOSSY, {}, Outcome.SILENT_CORRUPT),
        (CUT + WHOLE, {"restarted_at": 100}, Outcome.DUPLICATED),
        (WHOLE + "more", {}, Outcome.SILENT_CORRUPT),
        (LOSSY, {"foreign": "other-7"}, Outcome.LEAKED),
        (CUT, {"error": "event"}, Outcome.ERROR),
        (CUT, {"error": "incomplete"}, Outcome.ERROR),
        (WHOLE, {"error": "usage"}, Outcome.ERROR),
        (CUT + WHOLE, {"error": "event", "restarted_at": 100}, Outcome.ERROR),
        ("", {"error": "timeout", "status": None}, Outcome.TIMEOUT),
        (CUT, {"error": "hung"}, Outcome.HUNG),
        ("", {"status": 503}, Outcome.ERROR),
        ("", {"status": None}, Outcome.ERROR),
        (CUT, {"end_at": None}, Outcome.UNFINISHED),
    ],
)
def test_outcome_under_the_lab_oracle(text: str, changes: dict[str, Any], expected: Outcome) -> None:
    """With the expected text known, the text decides, unless the client was told of a failure."""
    drill = Drill()
    drill.call("c", 1, text, **changes)

    assert outcome(drill) is expected


def test_outcomes_are_answered_admitted_or_unfinished() -> None:
    """Every outcome is exactly one of the three."""
    assert {Outcome.UNFINISHED} | ADMITTED | ANSWERED == set(Outcome)
    assert not ADMITTED & ANSWERED


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        (CUT, {}, Outcome.OK),
        (CUT, {"terminal": False}, Outcome.OK),
        (CUT, {"terminal": False, "finish": None}, Outcome.SILENT_TRUNCATED),
        ("", {}, Outcome.SILENT_EMPTY),
        (CUT, {"restarted_at": 3}, Outcome.DUPLICATED),
        (CUT, {"stream": False, "terminal": False, "finish": None}, Outcome.OK),
    ],
)
def test_outcome_without_an_oracle(text: str, changes: dict[str, Any], expected: Outcome) -> None:
    """Without any oracle only the ending can be judged."""
    drill = with_oracle(Drill(), "none")
    drill.call("c", 1, text, expected=None, **changes)

    assert outcome(drill) is expected


def test_lab_oracle_without_an_expected_text_judges_the_ending() -> None:
    """A call whose expected text is unknown is judged by its ending."""
    drill = Drill()
    drill.call("c", 1, CUT, expected=None)

    assert outcome(drill) is Outcome.OK


REAL = "A model's own words, which nobody could have known before. " * 3


@pytest.mark.parametrize(
    ("client", "received", "sent", "changes", "expected"),
    [
        (REAL, edge(1, REAL), edge(1, REAL), {}, Outcome.OK),
        (REAL[:80], edge(1, REAL), cut_edge(1, REAL[:80]), {}, Outcome.SILENT_TRUNCATED),
        # our cut ends the upstream request too, so all that is known is a beginning
        (REAL[:80], cut_edge(1, REAL[:80], ended="unfinished"), cut_edge(1, REAL[:80]), {}, Outcome.SILENT_TRUNCATED),
        (REAL[:80], cut_edge(1, REAL[:80]), cut_edge(1, REAL[:80]), {"finish": "stop"}, Outcome.SILENT_TRUNCATED),
        (REAL[40:], edge(1, REAL), edge(1, REAL[40:]), {}, Outcome.SILENT_CORRUPT),
        (REAL, edge(1, REAL, terminal=False), edge(1, REAL), {}, Outcome.OK),
        (REAL, edge(1, REAL).model_copy(update={"text": Fingerprint()}), edge(1, REAL), {}, Outcome.OK),
        (REAL, edge(1, REAL), edge(1, REAL), {"error": "event"}, Outcome.ERROR),
    ],
)
def test_outcome_under_the_upstream_oracle(
    client: str, received: Edge, sent: Edge, changes: dict[str, Any], expected: Outcome
) -> None:
    """With real backends the oracle is what the answering upstream sent before our faults."""
    drill = with_oracle(Drill(), "upstream")
    drill.exchange("c", "primary", 1, received=received, sent=sent)
    drill.call("c", 1, client, expected=None, **changes)

    assert outcome(drill) is expected


def test_plain_body_is_whole_when_it_ended() -> None:
    """A body without events has no terminal event; its end is the end."""
    drill = with_oracle(Drill(), "upstream")
    plain = edge(1, REAL, terminal=False, finish=None)
    drill.exchange("c", "primary", 1, stream=False, received=plain, sent=plain)
    drill.call("c", 1, REAL, stream=False, expected=None, terminal=False)

    assert outcome(drill) is Outcome.OK


def test_untagged_call_under_the_upstream_oracle_is_judged_by_its_ending() -> None:
    """Without a tag nobody knows which upstream answered, even if an exchange has the same name."""
    drill = with_oracle(Drill(), "upstream")
    drill.exchange("c", "primary", 1, received=edge(1, REAL))
    drill.call("c", 1, CUT, tagged=False, expected=None)

    assert outcome(drill) is Outcome.OK


@pytest.mark.parametrize(
    ("edges", "text", "source"),
    [
        ([cut_edge(1), edge(2)], WHOLE, 1),
        ([edge(1), cut_edge(2)], WHOLE, 0),
        ([cut_edge(1), edge(2)], CUT, 0),
        ([edge(1), edge(2)], WHOLE, 1),
        ([refusing_edge(1, 429), edge(2)], WHOLE, 1),
        ([edge(1), silent_edge(2, 4)], WHOLE, 0),
        ([cut_edge(1, ended="reset")], CUT, 0),
        ([edge(1, LOSSY), cut_edge(2, ended="reset")], CUT + WHOLE, 0),
        ([edge(1, "")], "", 0),
        ([refusing_edge(1, 503)], "", None),
        ([], "", None),
    ],
)
def test_source_is_the_exchange_that_answered(edges: list[Edge], text: str, source: int | None) -> None:
    """The last exchange that delivered answers; of several the one whose text arrived."""
    drill = Drill()
    names = [drill.exchange("c", "primary", float(number), sent=sent) for number, sent in enumerate(edges)]
    drill.call("c", 1, text)

    found = drill.history().stories[0].source

    assert (found.id if found else None) == (None if source is None else names[source])


# ----------------------------------- false verdicts of another tool (llmock 0.2.2), and why they are not ours


def test_correct_fallback_to_another_provider_is_ok() -> None:
    """A 503 at one backend and success at another is a success, not a client that gave up."""
    drill = Drill()
    drill.exchange("c", "primary", 1, sent=refusing_edge(1, 503))
    drill.exchange("c", "secondary", 1.2, path="/v1/messages", dialect="anthropic.messages", model="other")
    drill.call("c", 1)

    assert outcome(drill) is Outcome.OK


def test_cut_that_was_noticed_and_replaced_is_ok() -> None:
    """A cut stream that the gateway noticed before content reached the client, and replaced, is a success."""
    drill = Drill()
    drill.exchange("c", "primary", 1, sent=cut_edge(ORIGIN + 1))
    drill.exchange("c", "secondary", 2)
    drill.call("c", 1)

    assert outcome(drill) is Outcome.OK


def test_cut_that_was_noticed_and_told_is_no_silent_cut() -> None:
    """A client that was told of the cut has an error; nothing was hidden from it."""
    drill = Drill()
    drill.exchange("c", "primary", 1, sent=cut_edge(ORIGIN + 1))
    drill.call("c", 1, CUT, error="incomplete")

    assert outcome(drill) is Outcome.ERROR


def test_later_call_with_the_same_prompt_does_not_excuse_a_cut() -> None:
    """A user who asks again after a cut answer made another call: the first one stays cut."""
    drill = Drill()
    drill.exchange("first", "primary", 1, sent=cut_edge(ORIGIN + 1))
    drill.call("first", 1, CUT)
    drill.good("again", 5)

    assert outcome(drill, "first") is Outcome.SILENT_TRUNCATED
    assert outcome(drill, "again") is Outcome.OK


def test_retries_with_a_varying_body_are_one_call() -> None:
    """Thirty requests of one tagged call are thirty requests of one call, whatever their bodies were."""
    drill = Drill()
    for number in range(30):
        drill.exchange("c", "primary", 1 + number / 10, attempt=number + 1, sent=refusing_edge(1, 503))
    drill.call("c", 1, "", status=503, error="http", took=4)

    assert len(drill.history().stories[0].exchanges) == 30


def test_broken_tool_arguments_are_corrupt() -> None:
    """Tool arguments count as content: a broken one that nobody noticed is a silently corrupt answer."""
    arguments = '{"city": "Paris", "unit": "celsius", "days": 3, "lang": "fr"}'
    drill = Drill()
    drill.call("c", 1, arguments.replace('"Paris"', "Paris"), expected=text_of(arguments), finish="tool_calls")

    assert outcome(drill) is Outcome.SILENT_CORRUPT


def test_calls_that_were_never_sent_are_no_calls() -> None:
    """Dropped arrivals have no outcome."""
    drill = Drill()
    drill.call("c", 1, dropped=True)

    history = drill.history()

    assert history.stories == ()
    assert [call.id for call in history.dropped] == ["c"]
    assert all(isinstance(call, Call) for call in history.dropped)


# ------------------------------------------------------------------------------- answers whose right text is not known


UNKNOWN: dict[str, Any] = {"expected": None}


def states(drill: Drill, *claims: str) -> dict[str, str]:
    """What is said about each claim."""
    history = drill.history()
    told = {}
    for claim in claims:
        (seen,) = observe(history, expectation(claim))
        told[claim] = seen.state(parse_expression(claim)).value
    return told


def corrupt_under(drill: Drill, oracle: Literal["lab", "upstream", "none"], **changes: Any) -> Drill:
    """Ten good calls, and ten whose text lost something while nobody can know it."""
    drill.claims = replace(drill.claims, oracle=oracle)
    for number in range(10):
        drill.exchange(f"g{number}", "primary", number)
        drill.call(f"g{number}", number)
        drill.call(f"c{number}", 11 + number, LOSSY, **{**UNKNOWN, **changes})
    return drill


@pytest.mark.parametrize(
    "drill",
    [
        corrupt_under(Drill(), "lab"),
        corrupt_under(Drill(), "none"),
        corrupt_under(Drill(), "upstream"),
        corrupt_under(Drill(), "upstream", tagged=False),
    ],
    ids=["backends of two lengths", "no oracle", "an answer without an exchange", "no tag"],
)
@pytest.mark.parametrize(
    "claim",
    [
        "silent_corrupt == 0",
        "silent_truncated == 0",
        "duplicated == 0",
        "leaked == 0",
        "content_intact >= 99%",
        "success >= 99%",
        "goodput(e2e <= 9s) >= 0.3/s",
    ],
)
def test_unknown_text_is_neither_right_nor_wrong(drill: Drill, claim: str) -> None:
    """A call that claims success is not taken for intact when nobody knows what it should have got."""
    assert states(drill, claim) == {claim: "inconclusive"}


def test_answer_that_could_not_be_read_on_its_way_is_not_intact() -> None:
    """A compressed answer passes the proxy unread: what the client made of it cannot be compared."""
    drill = with_oracle(Drill(), "upstream")
    drill.exchange("c", "primary", 1, received=edge(ORIGIN + 1, ""), sent=edge(ORIGIN + 1, ""))
    drill.call("c", 1, LOSSY, **UNKNOWN)

    assert set(states(drill, "silent_corrupt == 0", "content_intact >= 99%").values()) == {"inconclusive"}


def test_reason_says_that_the_text_is_not_known() -> None:
    """Who reads the verdict learns what to mend."""
    (seen,) = observe(corrupt_under(Drill(), "lab").history(), expectation("silent_corrupt == 0"))

    assert seen.why == "the right text of 10 calls is not known"


def test_what_is_known_without_a_text_is_judged() -> None:
    """Errors, timeouts, empty answers, other calls' tags and missing ends need no right text."""
    drill = corrupt_under(Drill(), "lab")
    drill.call("empty", 40, "", **UNKNOWN)
    drill.call("cut", 41, CUT, terminal=False, finish=None, **UNKNOWN)
    drill.call("leak", 42, WHOLE, foreign="cp-n-9", **UNKNOWN)
    drill.call("slow", 43, "", error="timeout", **UNKNOWN)

    assert states(drill, "error_rate <= 5%", "timeout_rate <= 1%", "hung == 0", "silent_empty == 0") == {
        "error_rate <= 5%": "held",
        "timeout_rate <= 1%": "deviated",
        "hung == 0": "held",
        "silent_empty == 0": "deviated",
    }
    assert states(drill, "silent_truncated == 0", "leaked == 0", "success >= 90%", "success <= 90%") == {
        "silent_truncated == 0": "deviated",
        "leaked == 0": "deviated",
        "success >= 90%": "deviated",  # four are bad for certain, of 24
        "success <= 90%": "held",
    }


def test_missing_end_excludes_no_other_flaw() -> None:
    """Without the right text a cut answer may have lost something inside as well."""
    drill = Drill()
    drill.call("cut", 1, CUT, terminal=False, finish=None, **UNKNOWN)

    assert states(drill, "silent_truncated == 0", "silent_corrupt == 0", "content_intact >= 1%") == {
        "silent_truncated == 0": "deviated",
        "silent_corrupt == 0": "inconclusive",
        "content_intact >= 1%": "deviated",
    }


# ------------------------------------------------------------------------------------------- a loss near the very end


NEARLY = WHOLE[:-12] + WHOLE[-6:]
"""An event of six characters was lost inside the last block."""


def test_loss_inside_the_last_block_is_corrupt() -> None:
    """The client knows the text and counts, so a loss is no cut, however near to the end it is."""
    drill = Drill()
    drill.call("c", 1, NEARLY)

    assert outcome(drill) is Outcome.SILENT_CORRUPT
    assert states(drill, "silent_corrupt == 0", "silent_truncated == 0") == {
        "silent_corrupt == 0": "deviated",
        "silent_truncated == 0": "held",
    }


def test_cut_inside_a_block_is_a_cut() -> None:
    """To the character."""
    drill = Drill()
    drill.call("c", 1, WHOLE[:-3])

    assert outcome(drill) is Outcome.SILENT_TRUNCATED
    assert states(drill, "silent_corrupt == 0") == {"silent_corrupt == 0": "held"}


@pytest.mark.parametrize(
    ("text", "corrupt"), [(NEARLY, "inconclusive"), (WHOLE[:-3], "inconclusive"), (WHOLE[:-16], "held")]
)
def test_last_block_of_a_text_that_only_the_proxy_read_is_in_doubt(text: str, corrupt: str) -> None:
    """Fingerprints know whole blocks: a shorter text that differs in its last one is cut, or changed there as well."""
    drill = with_oracle(Drill(), "upstream")
    drill.exchange("c", "primary", 1)
    drill.call("c", 1, text, expected=None)

    assert outcome(drill) is Outcome.SILENT_TRUNCATED
    assert states(drill, "silent_corrupt == 0", "silent_truncated == 0", "content_intact >= 1%") == {
        "silent_corrupt == 0": corrupt,
        "silent_truncated == 0": "deviated",
        "content_intact >= 1%": "deviated",
    }
