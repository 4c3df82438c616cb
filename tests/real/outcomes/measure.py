"""Ask each client under each fault, many at a time, and say what came of it."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.pump import TOO_LATE
from tests.functional.wire_kit import Journal, bench, upstream
from tests.real.outcomes.clients import Client
from tests.real.outcomes.faults import HEALTHY
from tests.real.outcomes.sdks import Asker
from tests.real.outcomes.seen import Seen, watch
from tests.real.outcomes.table import NOT_HIT, Cell, Outcome, Table, letter
from tests.real.outcomes.upstreams import RAW, healthy
from tests.real.outcomes.worker import Worker, litellm_worker

AT_ONCE = 24


@dataclass(frozen=True)
class _Bench:
    """One client that is open, and how many may be asked at once."""

    client: Client
    asker: Asker | None
    worker: Worker | None
    slots: asyncio.Semaphore

    async def ask(self, url: str, backup: str) -> Seen:
        if self.asker is not None:
            return await watch(self.asker(url), self.client.deadline_s)
        assert self.worker is not None
        assert self.client.way is not None
        return await self.worker.ask(self.client.way, url, backup, self.client.deadline_s)

    async def through_proxy(self, line: str) -> Outcome:
        """With the fault in a proxy, before a healthy server."""
        speak = healthy(self.client.dialect)
        async with self.slots, upstream(speak) as backup, bench(speak, Limits(stop_s=0.1)) as at:
            if line != HEALTHY:
                rule = Rule.model_validate({"id": "f", "listeners": ["a"], **parse_flat(line)})
                at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
            seen = await self.ask(at.url, backup.url)
        # The journal is complete only now: a stopped proxy has no exchange under way.
        saw = NOT_HIT if _missed(at.journal) else letter(seen)
        return Outcome(saw, len(at.journal.exchanges), len(at.upstream.requests), len(backup.requests))

    async def alone(self, line: str) -> Outcome:
        """With a server in its place that breaks by itself."""
        broken_by_itself, speak = RAW[line].script(self.client.dialect), healthy(self.client.dialect)
        async with self.slots, upstream(speak) as backup, upstream(broken_by_itself) as broken:
            seen = await self.ask(broken.url, backup.url)
        return Outcome(letter(seen), len(broken.requests), len(broken.requests), len(backup.requests))

    async def cell(self, line: str) -> Cell:
        if line not in RAW:
            return Cell(await self.through_proxy(line))
        outcome, raw = await asyncio.gather(self.through_proxy(line), self.alone(line))
        alike = (outcome.saw, outcome.asked, outcome.backup) == (raw.saw, raw.asked, raw.backup)
        return Cell(outcome, None if alike or outcome.saw == NOT_HIT else raw)


def _missed(journal: Journal) -> bool:
    """Who leaves just before the fault is due may as well leave just after it: a race, so what it saw counts."""
    hit = any(isinstance(record, FaultHit) for record in journal.records)
    misses = [miss for record in journal.exchanges for miss in record.misses]
    return not hit and bool(misses) and not any(miss.reason == TOO_LATE for miss in misses)


def settled(clients: Iterable[Client], lines: Mapping[str, Iterable[str]], known: Table) -> Table:
    """Measure; cells that deviate from what is known are measured once more, and the second time counts.

    A machine that is busy lets a client time out, and a port that was closed for one cell may be given to another.
    What has really changed deviates twice.
    """
    table = measure(clients, lines)
    deviating = {
        name: [line for line, cell in cells.items() if not cell.agrees(known.cells.get(name, {}).get(line))]
        for name, cells in table.cells.items()
    }
    again = measure([client for client in clients if deviating[client.name]], deviating)
    for name, cells in again.cells.items():
        table.cells[name].update(cells)
    return table


def measure(clients: Iterable[Client], lines: Mapping[str, Iterable[str]]) -> Table:
    """The cells of ``lines``, which are by client."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the SDKs, also of what a question that was cut off leaves open in them
        measured = asyncio.run(_measure(list(clients), lines))
        gc.collect()
    return measured


async def _measure(clients: list[Client], lines: Mapping[str, Iterable[str]]) -> Table:
    slots = asyncio.Semaphore(AT_ONCE)
    versions: dict[str, str] = {}
    cells: dict[str, dict[str, asyncio.Task[Cell]]] = {}
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(litellm_worker()) if any(each.way for each in clients) else None
        async with asyncio.TaskGroup() as tasks:
            for client in clients:
                opened = await stack.enter_async_context(client.opener()) if client.opener else None
                at = _Bench(client, opened, worker, slots)
                await at.through_proxy(HEALTHY)  # what a client imports at its first question counts against no timeout
                cells[client.name] = {line: tasks.create_task(at.cell(line)) for line in lines[client.name]}
                versions[client.name] = (
                    ", ".join(f"{name} {version}" for name, version in worker.versions.items())
                    if client.way and worker
                    else client.version()
                )
    done = {name: {line: task.result() for line, task in row.items()} for name, row in cells.items()}
    return Table(versions, done)
