"""Faults on a server at their times: edges, hits, heals that fail; against a server that only remembers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from chaosproxy.errors import PartFailed
from chaosproxy.experiment.toxics import UNSEEN
from chaosproxy.journal.records import AnyRecord, FaultEdge, Trouble
from chaosproxy.journal.traffic import Edge, ExchangeRecord, FaultHit
from chaosproxy.plan.on_server import on_server
from chaosproxy.plan.rule import Rule
from chaosproxy.runner import toxic_line
from chaosproxy.runner.lines import Lines
from chaosproxy.runner.toxic_line import FORGOTTEN, ToxicLine
from chaosproxy.toxics.client import ToxiproxyServer
from chaosproxy.toxics.lease import new_lease
from chaosproxy.toxics.remote import Remote
from tests.toxics.servers import Fake, faking

WITHIN_S = 30
R = TypeVar("R")


@dataclass
class Run:
    """A line, what it recorded, and the server."""

    fake: Fake
    proxy: str
    line: ToxicLine = field(init=False)
    records: list[AnyRecord] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, record: AnyRecord) -> None:
        """Keep a record."""
        self.records.append(record)
        self.told.set()

    async def apply(self, *rules: Rule) -> None:
        """As the conductor does."""
        await self.line.apply("me", rules, lease_s=5, seed=1)

    async def until(self, edge: str) -> FaultEdge:
        """Wait for an edge."""
        return await self.next_of(FaultEdge, lambda record: record.edge == edge)

    async def next_of(self, kind: type[R], wanted: Callable[[R], bool] = lambda _: True) -> R:
        """Wait for a record of a kind."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                for record in self.records:
                    if isinstance(record, kind) and wanted(record):
                        return record
                self.told.clear()
                await self.told.wait()

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Of all faults: which, and why."""
        return [(edge.edge, edge.why) for edge in self.records if isinstance(edge, FaultEdge)]


def rule(do: dict[str, Any], **settings: Any) -> Rule:
    """A rule called slow."""
    return Rule.model_validate({"id": "slow", "listeners": ["a"], "do": do, **settings})


SLOW = {"type": "toxic.latency", "latency": "5ms"}
DEAF = {"type": "toxic.timeout", "direction": "upstream"}


@asynccontextmanager
async def playing(fake: Fake, *rules: Rule, seen: bool = True, heal_within_s: float = 20.0) -> AsyncIterator[Run]:
    """A line for these rules."""
    remote = Remote(ToxiproxyServer(fake.url), new_lease(time.time(), 60), time.time)
    place = await remote.front("a", "127.0.0.1:0", "127.0.0.1:9", seen=seen)
    what = {each.id: on_server(each.do) for each in rules}
    run = Run(fake, place.proxy)
    run.line = ToxicLine(
        remote,
        {"a": place},
        {name: words for name, words in what.items() if words is not None},
        clock=time.monotonic,
        record=run.take,
        heal_within_s=heal_within_s,
    )
    try:
        yield run
    finally:
        await run.line.close()


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A server that does what it is told."""
    with faking() as server:
        yield server


def exchange(began_at: float, end_at: float | None, listener: str = "a", name: str = "e1") -> ExchangeRecord:
    """A request that our listener saw."""
    return ExchangeRecord(
        id=name,
        listener=listener,
        ordinal=1,
        call="c",
        attempt=1,
        method="POST",
        path="/",
        dialect="raw",
        model=None,
        stream=True,
        began_at=began_at,
        sent=Edge(end_at=end_at),
    )


async def test_a_fault_ends_by_itself(fake: Fake) -> None:
    """After its time; a rule that is applied again is the same fault."""
    slow = rule(SLOW, lasts="200ms")
    async with playing(fake, slow) as run:
        await run.apply(slow)
        await run.apply(slow)
        assert fake.asked.count(f"POST /proxies/{run.proxy}/toxics") == 1
        healed = await run.until("healed")
        assert fake.toxics(run.proxy) == []
        applied = await run.until("applied")
        assert healed.at - applied.at >= 0.15
        assert run.edges == [("applied", ""), ("healed", "lasts")]
        assert await run.line.active("me") == []


async def test_a_fault_is_cleared(fake: Fake) -> None:
    """Before its time; and once only."""
    slow = rule(SLOW)
    async with playing(fake, slow) as run:
        await run.apply(slow)
        assert await run.line.active("me") == ["slow"]
        await run.line.renew("me", lease_s=1)
        await run.line.clear("me")
        await run.line.clear("me")
        assert fake.toxics(run.proxy) == []
        assert run.edges == [("applied", ""), ("healed", "cleared")]


async def test_nothing_is_asked_of_a_server_without_faults(fake: Fake) -> None:
    """A run that ended before its first fault."""
    async with playing(fake) as run:
        fake.asked.clear()
        await run.line.clear("me")
        assert await run.line.active("me") == []
    assert fake.asked == []


async def test_a_flap(fake: Fake) -> None:
    """It starts down, and what is up at its end is healed."""
    slow = rule(SLOW, lasts="500ms", flap={"down": "200ms", "up": "100ms"})
    async with playing(fake, slow) as run:
        await run.apply(slow)
        await run.until("flap_up")
        await run.until("healed")
        kinds = [edge for edge, _ in run.edges]
        assert kinds[:2] == ["applied", "flap_up"]
        assert kinds[-1] == "healed"
        assert fake.toxics(run.proxy) == []


class TestHits:
    async def test_are_the_requests_that_were_under_way(self, fake: Fake) -> None:
        """At its listener, at any time while it acted; those whose record comes late, too."""
        slow = rule(SLOW)
        async with playing(fake, slow) as run:
            before = time.monotonic()
            await run.apply(slow)
            acting = time.monotonic()
            run.line.notice(exchange(before - 2, before - 1, name="over"))
            run.line.notice(exchange(before - 2, acting, name="caught"))
            run.line.notice(exchange(acting, None, name="open"))
            run.line.notice(exchange(acting, None, "b", name="elsewhere"))
            await run.line.clear("me")
            run.line.notice(exchange(acting, acting + 60, name="late"))
            run.line.notice(exchange(time.monotonic() + 1, None, name="after"))

            hits = [record for record in run.records if isinstance(record, FaultHit)]
            assert [hit.exchange for hit in hits] == ["caught", "open", "late"]
            assert hits[0].at >= before
            assert hits[1].at == acting

    @pytest.mark.parametrize("do", [DEAF, {**SLOW, "toxicity": "50%"}])
    async def test_are_not_made_up(self, fake: Fake, do: dict[str, Any]) -> None:
        """Where requests do not come through, or connections are drawn."""
        slow = rule(do)
        async with playing(fake, slow) as run:
            await run.apply(slow)
            run.line.notice(exchange(time.monotonic(), None))
            assert [record for record in run.records if isinstance(record, FaultHit)] == []

    async def test_nobody_sees_them(self, fake: Fake) -> None:
        """The edge says so, for the verdict."""
        slow = rule(SLOW)
        async with playing(fake, slow, seen=False) as run:
            await run.apply(slow)
            assert run.edges == [("applied", UNSEEN)]


class TestTrouble:
    async def test_a_toxic_that_cannot_be_put(self, fake: Fake) -> None:
        """Is the conductor's business."""
        slow = rule(SLOW)
        async with playing(fake, slow) as run:
            fake.answers[f"POST /proxies/{run.proxy}/toxics"] = (500, '{"error":"boom"}')
            with pytest.raises(PartFailed, match=r"toxic 'slow' on '.*': 500 boom"):
                await run.apply(slow)
            await run.line.clear("me")
            assert run.edges == []

    async def test_a_heal_is_tried_again(self, fake: Fake) -> None:
        """Until the server does it."""
        slow = rule(SLOW)
        async with playing(fake, slow) as run:
            await run.apply(slow)
            line = f"DELETE /proxies/{run.proxy}/toxics/slow"
            fake.answers[line] = (500, '{"error":"not now"}')
            clearing = asyncio.create_task(run.line.clear("me"))
            await asyncio.to_thread(fake.wait_asked, line, 2)
            assert not clearing.done()
            fake.answers.clear()
            await clearing
            assert run.edges == [("applied", ""), ("healed", "cleared")]

    async def test_a_heal_that_never_works(self, fake: Fake) -> None:
        """Says which fault may still act, where and why; no edge says that it ended."""
        slow = rule(SLOW)
        async with playing(fake, slow, heal_within_s=0.3) as run:
            await run.apply(slow)
            fake.answers[f"DELETE /proxies/{run.proxy}/toxics/slow"] = (500, '{"error":"never"}')
            with pytest.raises(PartFailed, match=f"fault 'slow' may still act: {fake.url}: .* 500 never"):
                await run.line.clear("me")
            assert run.edges == [("applied", "")]
            assert await run.line.active("me") == ["slow"]

    async def test_a_removal_that_does_nothing(self, fake: Fake) -> None:
        """Is found out by a look at the server, and is trouble when nobody waits for it."""
        slow = rule(SLOW, lasts="100ms")
        async with playing(fake, slow, heal_within_s=0.3) as run:
            fake.answers[f"DELETE /proxies/{run.proxy}/toxics/slow"] = (204, "")
            await run.apply(slow)
            trouble = await run.next_of(Trouble)
            assert "fault 'slow' may still act" in trouble.detail
            assert "still there after it was removed: slow on" in trouble.detail

    async def test_what_somebody_else_removed_is_over(self, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is noticed soon, also when the server did not answer meanwhile; nothing has to be healed then."""
        monkeypatch.setattr(toxic_line, "WATCH_EACH_S", 0.05)
        slow = rule(SLOW)
        async with playing(fake, slow) as run:
            await run.apply(slow)
            fake.answers["GET /proxies"] = (500, "")
            await asyncio.to_thread(fake.wait_asked, "GET /proxies", fake.asked.count("GET /proxies") + 1)
            fake.proxies[run.proxy]["toxics"].clear()
            fake.answers.clear()
            assert (await run.until("healed")).why == FORGOTTEN
            await run.line.clear("me")
            assert run.edges == [("applied", ""), ("healed", FORGOTTEN)]


@dataclass
class Memory:
    """A line that only remembers; it can fail."""

    name: str
    told: list[str]
    fails: bool = False

    async def apply(self, owner: str, rules: Any, *, lease_s: float, seed: int) -> None:
        """Remember it."""
        self.told.append(f"{self.name} {' '.join(rule.id for rule in rules)}")

    async def renew(self, owner: str, *, lease_s: float) -> None:
        """Remember it."""
        self.told.append(f"{self.name} renew")

    async def clear(self, owner: str) -> None:
        """Remember it."""
        self.told.append(f"{self.name} clear")
        if self.fails:
            raise PartFailed(self.name)

    async def active(self, owner: str) -> list[str]:
        """Always one."""
        return [self.name]


async def test_two_lines_as_one() -> None:
    """Each fault goes where it acts; all else to both, and one that fails does not keep the other from healing."""
    told: list[str] = []
    lines = Lines(Memory("here", told, fails=True), Memory("there", told), {"slow"})
    other = Rule.model_validate({"id": "cut", "listeners": ["a"], "do": {"type": "conn.blackhole"}})

    await lines.apply("me", [other, rule(SLOW)], lease_s=1, seed=1)
    await lines.renew("me", lease_s=1)
    with pytest.raises(PartFailed, match="here"):
        await lines.clear("me")

    assert told == ["here cut", "there slow", "here renew", "there renew", "here clear", "there clear"]
    assert await lines.active("me") == ["here", "there"]
