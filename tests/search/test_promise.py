"""The default promise: what breaks it, and what no client could know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import Edge, ExchangeRecord, FaultHit
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule
from chaosproxy.search.observation import Observation, Plan
from chaosproxy.search.promise import Flaw, default_promise

WHOLE = "Amber birds fly"
_SEEN = Observation(WHOLE, WHOLE, None, None, hung=False, took_s=0.0, deadline_s=60.0)


def _plan(*lines: str) -> Plan:
    return tuple(
        Rule.model_validate({"id": f"f{number}", "listeners": ["primary"], **parse_flat(line)})
        for number, line in enumerate(lines)
    )


def _exchange(number: int, **sent: Any) -> ExchangeRecord:
    edge = {"status": 200, "ended": "end", "terminal": True, "finish": "stop", "text": fingerprint(WHOLE), **sent}
    return ExchangeRecord(
        id=f"x-{number}",
        listener="primary",
        ordinal=number,
        call=None,
        attempt=1,
        method="POST",
        path="/v1/chat/completions",
        dialect="openai.chat",
        model="m",
        stream=True,
        began_at=float(number),
        sent=Edge.model_validate(edge),
    )


def _seen(plan: Plan = (), exchanges: int = 1, **changed: Any) -> Observation:
    """All faults of the plan have hit the last exchange."""
    hits = tuple(FaultHit(fault=rule.id, at=1.0, listener="primary", exchange=f"x-{exchanges}") for rule in plan)
    passed = tuple(_exchange(number) for number in range(1, exchanges + 1))
    return replace(_SEEN, exchanges=passed, hits=hits, **changed)


def _flaw(plan: Plan, seen: Observation) -> Flaw | None:
    broken = default_promise()(plan, seen)
    return None if broken is None else broken.flaw


def test_the_whole_text_keeps_it() -> None:
    """Whatever was done on the way."""
    plan = _plan("sse.comment", "time.first_token")

    assert _flaw(plan, _seen(plan)) is None


@pytest.mark.parametrize(
    ("text", "restarted", "flaw"),
    [
        ("", False, Flaw.SILENT_EMPTY),
        ("Amber bi", False, Flaw.SILENT_TRUNCATED),
        ("Amber cats fly", False, Flaw.SILENT_CORRUPT),
        ("Amber Amber birds fly", True, Flaw.DUPLICATED),
    ],
)
def test_another_text_breaks_it(text: str, restarted: bool, flaw: Flaw) -> None:
    """Each in its own way."""
    plan = _plan("stream.truncate where=token:1")

    assert _flaw(plan, _seen(plan, text=text, restarted=restarted)) is flaw


@pytest.mark.parametrize(
    "line",
    ["llm.wrong_answer", "llm.early_stop where=token:1", "llm.empty", "sse.drop where=token:1", "body.corrupt"],
)
def test_a_lie_is_not_the_clients_fault(line: str) -> None:
    """A valid answer with other words cannot be told from a right one; when it hit nobody it is no excuse."""
    plan = _plan(line)

    assert _flaw(plan, _seen(plan, text="Amber")) is None
    assert _flaw(plan, replace(_seen(plan, text="Amber"), hits=())) is Flaw.SILENT_TRUNCATED


def test_an_error_keeps_it_when_the_answer_was_broken() -> None:
    """Detected is never hidden."""
    plan = _plan("sse.malformed where=token:1")

    assert _flaw(plan, _seen(plan, text=None, error="ValueError: x", error_type="ValueError")) is None


@pytest.mark.parametrize("line", ["sse.field retry=3000", "sse.comment", "sse.empty", "sse.utf8 mode=split"])
def test_an_error_breaks_it_when_the_answer_was_whole_and_legal(line: str) -> None:
    """The protocol allows what was done to it."""
    plan = _plan(line)

    assert _flaw(plan, _seen(plan, text=None, error="ValueError: x", error_type="ValueError")) is Flaw.REJECTED


@pytest.mark.parametrize("sent", [{"ended": "gone"}, {"terminal": False}, {"status": 503}, {"error_event": True}])
def test_an_error_keeps_it_when_the_answer_did_not_come_whole(sent: dict[str, Any]) -> None:
    """A client that has left, an answer without its end, an error."""
    plan = _plan("sse.comment")
    seen = _seen(plan, text=None, error="ValueError: x", error_type="ValueError")

    assert _flaw(plan, replace(seen, exchanges=(_exchange(1, **sent),))) is None


def test_a_delay_need_not_be_borne() -> None:
    """A client may give up, although all has come in the end."""
    plan = _plan("time.first_token mean=30s")

    assert _flaw(plan, _seen(plan, text=None, error="TimeoutError: x", error_type="TimeoutError")) is None


def test_no_end_and_no_limit_break_it() -> None:
    """However it ends after that."""
    assert _flaw((), replace(_SEEN, text=None, hung=True)) is Flaw.HUNG
    assert _flaw((), _seen(exchanges=5)) is None
    assert _flaw((), _seen(exchanges=6)) is Flaw.TOO_MANY_REQUESTS
    assert default_promise(6)((), _seen(exchanges=6)) is None
