"""Tells webhooks what a run does. Nobody waits for them: each message has a deadline; a failed one is only recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from chaosproxy.experiment.outside import Event, Notify
from chaosproxy.journal.records import AnyRecord, FaultEdge, Notified
from chaosproxy.probes.http import refused
from chaosproxy.runner.probing import concealed
from chaosproxy.units import format_duration

_EVENTS: Mapping[str, Event] = {"applied": "inject", "healed": "heal"}


@dataclass(frozen=True, slots=True)
class Message:
    """One of them, and since when it waits."""

    event: Event
    body: dict[str, Any]
    at: float


class Notifier:
    """The webhooks of one run; ``about`` is in every message. Messages to one webhook keep their order."""

    def __init__(
        self,
        webhooks: Sequence[Notify],
        about: Mapping[str, str],
        record: Callable[[Notified], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._about = about
        self._record = record
        self._clock = clock
        self._queues: list[tuple[Notify, asyncio.Queue[Message]]] = [(each, asyncio.Queue()) for each in webhooks]
        self._tasks: list[asyncio.Task[None]] = []

    def notice(self, record: AnyRecord) -> None:
        """Follow the faults."""
        if isinstance(record, FaultEdge) and record.edge in _EVENTS:
            event, where = _EVENTS[record.edge], ", ".join(record.listeners)
            facts = {"fault": record.fault, "type": record.fault_type, "listeners": record.listeners, "why": record.why}
            did = "began to act on" if event == "inject" else "no longer acts on"
            self.tell(event, f"fault {record.fault} ({record.fault_type}) {did} {where}", facts)

    def aborted(self, why: str) -> None:
        """The run is aborted."""
        self.tell("abort", f"aborted: {why}", {"why": why})

    def tell(self, event: Event, words: str, facts: Mapping[str, Any]) -> None:
        """Send a message to all who want to know of ``event``; returns at once."""
        body = {"event": event, **self._about, **facts, "text": f"chaosproxy {self._about['experiment']}: {words}"}
        for webhook, queue in self._queues:
            if event in webhook.events:
                queue.put_nowait(Message(event, body, self._clock()))
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._work(webhook, queue)) for webhook, queue in self._queues]

    async def finish(self) -> None:
        """Let the last messages be sent, for no longer than the timeout of their webhook."""
        await asyncio.gather(*(self._drained(webhook, queue) for webhook, queue in self._queues))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _drained(self, webhook: Notify, queue: asyncio.Queue[Message]) -> None:
        try:
            await asyncio.wait_for(queue.join(), webhook.timeout)
        except TimeoutError:
            while not queue.empty():
                self._failed(webhook, queue.get_nowait(), "the run was over before its turn came")

    async def _work(self, webhook: Notify, queue: asyncio.Queue[Message]) -> None:
        while True:
            message = await queue.get()
            failed = "the run was over before it was taken"
            try:
                failed = await _sent(webhook, message)
            finally:
                self._failed(webhook, message, failed)
                queue.task_done()

    def _failed(self, webhook: Notify, message: Message, why: str) -> None:
        """Or not, when ``why`` is empty."""
        self._record(
            Notified(
                webhook=webhook.host,
                event=message.event,
                at=message.at,
                took_s=self._clock() - message.at,
                ok=not why,
                detail=concealed(why, frozenset(webhook.secrets())),
            )
        )


async def _sent(webhook: Notify, message: Message) -> str:
    """Why it was not taken, or nothing."""
    timeout = aiohttp.ClientTimeout(total=webhook.timeout)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(
                webhook.webhook, json=message.body, headers=webhook.headers, allow_redirects=False
            ) as response,
        ):
            return "" if response.status < 300 else f"status {response.status}"
    except TimeoutError:
        return f"no answer within {format_duration(webhook.timeout)}"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return refused(error).detail
