"""A bug in a fault ends its own exchange and no other, and leaves a trace."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from chaosproxy.events import Incoming
from chaosproxy.faults.base import Fault
from chaosproxy.journal.records import Trouble
from chaosproxy.plan.rule import Rule
from tests.functional.wire_kit import (
    LAST_CHUNK,
    SSE_HEAD,
    Bench,
    Peer,
    Request,
    answers,
    ask,
    bench,
    call,
    chunk,
    events,
    stream,
)
from tests.laws.samples import SAMPLES


def apply(at: Bench, do: dict[str, object], **common: object) -> None:
    """One fault at the bench's listener."""
    rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do, **common})
    at.proxy.apply([rule], owner="test", lease_s=60, seed=1)


def troubles(at: Bench) -> list[str]:
    """What the journal says about bugs."""
    return [record.detail for record in at.journal.records if isinstance(record, Trouble) and record.part == "faults"]


async def test_a_bug_in_a_fault_ends_its_exchange_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gets a 500 of ours, the journal says why, and the proxy goes on."""

    def explode(stage: object, incoming: object) -> None:
        raise ZeroDivisionError

    async with bench(answers(stream(events(3)))) as at:
        apply(at, {"type": "time.first_token", "mean": "1ms"}, match={"nth": 1})
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr("chaosproxy.faults.timing.first_token.LateStart.feed", explode)
            broken = await call(at.url, ask())
        whole = await call(at.url, ask())
        record = await at.journal.exchange()

    assert (broken.status, whole.status) == (500, 200)
    assert "x-chaosproxy-error: internal" in broken.fields
    assert (record.sent.ended, record.error) == ("end", "internal: a fault failed")
    assert troubles(at) == ["a fault failed in a-t-1 (ZeroDivisionError); at work: f"]
    assert logs[0]["event"] == "fault_failed"


async def test_a_fault_that_never_rests_ends_its_exchange_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep the whole proxy busy; the journal says which of several it was."""

    def echo(stage: object, incoming: Incoming) -> list[Incoming]:
        return [incoming]

    async with bench(answers(stream(events(3)))) as at:
        rules = [
            {"id": name, "listeners": ["a"], "do": {"type": name, "mean": "1ms"}, "match": {"nth": 1}}
            for name in ("time.inter_token", "time.first_token")
        ]
        at.proxy.apply([Rule.model_validate(rule) for rule in rules], owner="test", lease_s=60, seed=1)
        with monkeypatch.context() as patch, capture_logs():
            patch.setattr("chaosproxy.faults.timing.first_token.LateStart.feed", echo)
            broken = await call(at.url, ask())
        whole = await call(at.url, ask())

    assert (broken.status, whole.status, whole.body) == (500, 200, b"".join(events(3)))
    assert len(troubles(at)) == 1
    assert "the fault 'time.first_token' was woken 1000 times at" in troubles(at)[0]


async def test_a_bug_in_mid_stream_cuts_the_answer_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent cannot be taken back; the client must not wait for the rest."""

    def explode(stage: object, frame: object, before: int) -> None:
        raise ZeroDivisionError

    async with bench(answers(stream(events(3)))) as at:
        apply(at, {"type": "stream.fin", "where": "token:2"})
        monkeypatch.setattr("chaosproxy.faults.framing.early_end.EarlyEnd._cut", explode)
        with capture_logs():
            broken = await call(at.url, ask())
        record = await at.journal.exchange()

    assert (broken.status, broken.ended) == (200, "fin")
    assert (record.sent.ended, record.received.ended) == ("unfinished", "unfinished")
    assert troubles(at) == ["a fault failed in a-t-1 (ZeroDivisionError); at work: f"]


@pytest.mark.parametrize(
    "place",
    [
        "chaosproxy.faults.timing.first_token.TimeFirstToken.stage",
        "chaosproxy.faults.timing.first_token.TimeFirstToken.lacks",
        "chaosproxy.plan.decision.Decider._refusal",
    ],
)
@pytest.mark.interpreted
async def test_a_bug_in_a_decision_leaves_nothing_open(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 500 of ours, one exchange record, one trouble; the upstream is not asked."""

    def explode(*arguments: object) -> None:
        raise ZeroDivisionError

    async with bench(answers(stream(events(3)))) as at:
        apply(at, {"type": "time.first_token", "mean": "1ms"})
        monkeypatch.setattr(place, explode)
        with capture_logs():
            broken = await call(at.url, ask())
        record = await at.journal.exchange()
        still_open = at.proxy.open_exchanges

    assert (broken.status, still_open) == (500, 0)
    assert (record.sent.status, record.received.ended, record.asked_at) == (500, "none", None)
    assert troubles(at) == ["a fault failed in a-t-1 (ZeroDivisionError); at work: none yet"]
    assert at.upstream.requests == []


@pytest.mark.interpreted
async def test_a_bug_before_the_exchange_leaves_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows yet who asks, so there is a trouble and no exchange."""

    def explode(*arguments: object, **keywords: object) -> None:
        raise ZeroDivisionError

    async with bench(answers(stream(events(3)))) as at:
        monkeypatch.setattr("chaosproxy.proxy.reception.identify", explode)
        with capture_logs() as logs:
            broken = await call(at.url, ask())
        still_open = at.proxy.open_exchanges

    assert (broken.status, still_open, at.journal.exchanges) == (500, 0, [])
    assert [record.part for record in at.journal.records if isinstance(record, Trouble)] == ["proxy"]
    assert "ZeroDivisionError" in logs[0]["stack"]


@pytest.mark.interpreted
async def test_a_bug_in_a_dialect_ends_its_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting the upstream's events is our code, too."""

    def explode(*arguments: object) -> None:
        raise ZeroDivisionError

    async with bench(answers(stream(events(3)))) as at:
        monkeypatch.setattr("chaosproxy.proxy.event_tally.EventTally.collect", explode)
        with capture_logs():
            broken = await call(at.url, ask())
        record = await at.journal.exchange()

    assert (broken.status, broken.ended, record.sent.ended) == (200, "fin", "unfinished")
    assert len(troubles(at)) == 1


@pytest.mark.parametrize("fault", SAMPLES, ids=lambda fault: fault.type)
async def test_every_fault_may_heal_in_the_middle_of_an_exchange(fault: Fault) -> None:
    """Whatever it lets go, an end of the answer too, is no surprise to the exchange."""
    frames, healed = events(4), asyncio.Event()

    async def halting(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(b"".join(frames[:3])))
        await healed.wait()
        await peer.send(chunk(frames[3]) + LAST_CHUNK)

    async with bench(halting) as at:
        apply(at, fault.model_dump(mode="json", exclude_unset=True, by_alias=True) | {"type": fault.type})
        client = asyncio.create_task(call(at.url, ask()))
        await asyncio.wait([client], timeout=0.02)  # enough to be hit; if not, it heals earlier
        at.proxy.clear()
        healed.set()
        with suppress(OSError, ValueError):  # a malformed chunk size is no number
            await client
        assert troubles(at) == []
