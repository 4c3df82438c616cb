"""A request asks for a fault of its own, and for nobody else's."""

from __future__ import annotations

import asyncio
import json

from chaosproxy.dice import Dice
from chaosproxy.journal.records import Trouble
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.rule import Rule
from tests.functional.wire_kit import Bench, Client, answers, ask, bench, call, events, plain, stream

DICE = Dice(1)


def asking(*faults: str, prompt: str = "hi", scope: str | None = None) -> bytes:
    """A chat request that asks for faults."""
    fields = [f"x-chaosproxy-fault: {fault}" for fault in faults]
    if scope is not None:
        fields.append(f"X-ChaosProxy-Scope: {scope}")
    return ask(prompt, headers="".join(f"{field}\r\n" for field in fields))


async def hits(at: Bench, count: int = 1) -> list[FaultHit]:
    """The hits in the journal, once that many exchanges have ended."""
    await at.journal.exchange(count)
    return [record for record in at.journal.records if isinstance(record, FaultHit)]


async def test_a_fault_acts_on_the_exchange_that_asked_for_it() -> None:
    """And not on the next one; the journal has it as a rule of its own."""
    async with bench(answers(stream(events(5))), header_dice=DICE) as at:
        cut = await call(at.url, asking("stream.truncate where=token:3"))
        whole = await call(at.url, ask())
        (hit,) = await hits(at, 2)
        first, second = at.journal.exchanges

    assert (cut.body, whole.body) == (b"".join(events(5)[:3]), b"".join(events(5)))
    assert (hit.fault, hit.exchange) == ("header.stream.truncate", first.id)
    assert (first.attached, second.attached) == (["header.stream.truncate"], [])
    assert all(request.field("x-chaosproxy-fault") is None for request in at.upstream.requests)


async def test_several_faults_of_one_request() -> None:
    """In several fields or one, each on what the one before left over; those that did not act say why."""
    async with bench(answers(stream(events(5))), header_dice=DICE) as at:
        answer = await call(at.url, asking("sse.drop where=token:1; stream.fin where=token:3", "http.status share=0%"))
        record = await at.journal.exchange()

    assert (answer.body, answer.ended) == (b"".join(events(5)[1:4]), "fin")
    assert record.attached == ["header.sse.drop", "header.stream.fin"]
    assert [miss.fault for miss in record.misses] == ["header.http.status"]


async def test_an_admission_fault_comes_before_the_plan() -> None:
    """The upstream is not asked, and a fault of the plan that edits the answer has nothing to edit."""
    async with bench(answers(stream(events(5))), header_dice=DICE) as at:
        rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": {"type": "stream.truncate"}})
        at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        answer = await call(at.url, asking("http.status status=503"))
        record = await at.journal.exchange()

    assert (answer.status, at.upstream.requests) == (503, [])
    assert [miss.fault for miss in record.misses] == ["f"]


async def test_compressed_answers_are_avoided_for_such_a_request_alone() -> None:
    """Its fault must be able to read the frames."""
    request = ask(headers="Accept-Encoding: gzip\r\nx-chaosproxy-fault: sse.drop\r\n")
    async with bench(answers(stream(events(1))), header_dice=DICE) as at:
        await call(at.url, request)
        await call(at.url, ask(headers="Accept-Encoding: gzip\r\n"))

    assert [got.field("accept-encoding") for got in at.upstream.requests] == ["identity", "gzip"]


async def test_a_silent_fault_ends_when_the_client_leaves() -> None:
    """It has no lease; its exchange is all that it lives for."""
    async with bench(answers(plain(b"{}")), header_dice=DICE) as at:
        client = await Client.connect(at.url)
        await client.send(asking("conn.blackhole"))
        await at.journal.until(lambda journal: any(isinstance(entry, FaultHit) for entry in journal.records))
        client.close()
        record = await at.journal.exchange()

    assert (record.sent.ended, at.upstream.requests) == ("gone", [])


async def test_a_fault_that_cannot_be_is_our_own_400() -> None:
    """With words; the upstream is not asked, the connection lives on, and nobody takes it for a failure of others."""
    async with bench(answers(plain(b"{}")), header_dice=DICE) as at:
        client = await Client.connect(at.url)
        refused = await client.call(asking("stream.trunc", "conn.refuse"))
        assert (await client.call(ask())).status == 200
        client.close()
        await at.journal.until(lambda journal: any(isinstance(entry, Trouble) for entry in journal.records))
        (trouble,) = [record for record in at.journal.records if isinstance(record, Trouble)]
        await at.journal.exchange()

    error = json.loads(refused.body)["error"]
    assert refused.status == 400
    assert "x-chaosproxy-error: fault_header" in refused.fields
    assert "did you mean 'stream.truncate'?" in error["message"]
    assert "conn.refuse closes the listener, for everybody" in error["message"]
    assert "1 x fault_header" in trouble.detail
    assert len(at.upstream.requests) == len(at.journal.exchanges) == 1


async def test_an_id_of_the_plan_is_not_taken_over() -> None:
    """Or its hits would be booked for the other."""
    async with bench(answers(plain(b"{}")), header_dice=DICE) as at:
        rule = Rule.model_validate({"id": "header.f", "listeners": ["a"], "do": {"type": "stream.truncate"}})
        at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        answer = await call(at.url, asking("http.status id=f"))

    assert answer.status == 400
    assert b"'header.f'" in answer.body


async def test_without_leave_the_field_is_ignored_and_goes_no_further() -> None:
    """Off by default, also when what it says is nonsense."""
    async with bench(answers(stream(events(5)))) as at:
        answer = await call(at.url, asking("stream.truncate where=token:3", "nonsense"))

    assert answer.body == b"".join(events(5))
    assert [request.field("x-chaosproxy-fault") for request in at.upstream.requests] == [None]


async def test_parallel_tests_do_not_meet_each_others_faults() -> None:
    """A rule that matches a scope is for requests of that scope; the upstream never sees it."""
    async with bench(answers(plain(b"{}"))) as at:
        rules = [
            Rule.model_validate(
                {
                    "id": scope,
                    "listeners": ["a"],
                    "do": {"type": "http.status", "status": status},
                    "match": {"header": {"x-chaosproxy-scope": scope}},
                }
            )
            for scope, status in (("one", 500), ("two", 503))
        ]
        at.proxy.apply(rules, owner="test", lease_s=60, seed=1)
        scopes = ["one", "two", None, "one", "two", "three"]
        found = await asyncio.gather(*(call(at.url, asking(scope=scope)) for scope in scopes))

    assert [answer.status for answer in found] == [500, 503, 200, 500, 503, 200]
    assert [request.field("x-chaosproxy-scope") for request in at.upstream.requests] == [None, None]
