"""Sends the calls of a job when they are due and records each, in the running loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

from chaosproxy.dice import Dice
from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import Call, Sent
from chaosproxy.lab.load.arrivals import intended_times
from chaosproxy.lab.load.client import Client
from chaosproxy.lab.load.job import LoadJob
from chaosproxy.lab.load.journey import Journeys
from chaosproxy.lab.load.question import Question, Questions
from chaosproxy.lab.load.transcript import Transcript
from chaosproxy.proxy.lag import LagMeter

Recorder = Callable[[AnyRecord], None]
Clock = Callable[[], float]


async def run_load(
    job: LoadJob, record: Recorder, clock: Clock = monotonic, stopped: asyncio.Event | None = None
) -> None:
    """Send all calls of ``job`` and wait for their ends. ``stopped`` ends the sending; cancelling ends the calls too.

    Each call ends: one that does not by itself is hung after twice its timeout. Raises UserError for a bad entry URL,
    a file without prompts or without authorities, before anything is sent.
    """
    client = Client(job.entry, clock, job.ca)
    meter = LagMeter("load", record, clock)
    senders = [_Sender(job, index, client, record, meter, clock) for index in range(len(job.loads))]
    meter.start()
    try:
        async with asyncio.TaskGroup() as calls:
            sending = [calls.create_task(sender.run(calls)) for sender in senders]
            stopping = calls.create_task(_stop(stopped, sending))
            await asyncio.wait(sending)
            stopping.cancel()
    finally:
        meter.stop()
        await client.close()


async def _stop(stopped: asyncio.Event | None, sending: list[asyncio.Task[None]]) -> None:
    if stopped is not None:
        await stopped.wait()
        for task in sending:
            task.cancel()


class _Sender:
    """One load of the job."""

    def __init__(
        self, job: LoadJob, index: int, client: Client, record: Recorder, meter: LagMeter, clock: Clock
    ) -> None:
        self._job = job
        self._spec = job.loads[index]
        self._questions = Questions(job, index)
        self._journeys = Journeys(job, index, client, record, clock)
        self._client = client
        self._record = record
        self._meter = meter
        self._clock = clock
        self._in_flight = 0

    async def run(self, calls: asyncio.TaskGroup) -> None:
        """Start each call at its time; never wait for one."""
        draws = Dice(self._job.seed).throw(self._spec.id, "arrivals")
        times = intended_times(self._spec, self._job.warmup_s, self._job.lasts_s, draws)
        for number, at in enumerate(times, 1):
            intended_at = self._job.origin_mono + at
            if (wait_s := intended_at - self._clock()) > 0:
                await asyncio.sleep(wait_s)
            full = self._in_flight >= self._spec.arrival.max_in_flight
            self._in_flight += not full
            if self._spec.journey:
                self._begin_journey(calls, number, intended_at, full=full)
                continue
            question = self._questions.question(number)
            if full:
                self._record(self._dropped(question, intended_at))
            else:
                calls.create_task(self._call(question, intended_at))

    def _begin_journey(self, calls: asyncio.TaskGroup, number: int, intended_at: float, *, full: bool) -> None:
        if full:
            self._record(self._journeys.dropped(number, intended_at))
        else:
            calls.create_task(self._walk(number, intended_at))

    async def _walk(self, number: int, intended_at: float) -> None:
        self._meter.late("send", self._clock() - intended_at)
        try:
            await self._journeys.walk(number, intended_at)
        finally:
            self._in_flight -= 1

    async def _call(self, question: Question, intended_at: float) -> None:
        sent_at = self._clock()
        self._meter.late("send", sent_at - intended_at)
        request = self._spec.request
        transcript = Transcript(question, self._questions.dialect, stream=request.stream)
        self._record(Sent(**self._facts(question, intended_at), sent_at=sent_at))
        sent = self._client.request(question.path, self._questions.headers, question.body)
        try:
            connection = await self._client.ask(sent, transcript, request.timeout)
        finally:
            self._in_flight -= 1
        self._record(transcript.call(self._spec.id, intended_at, sent_at))
        await self._client.part(connection, transcript)

    def _dropped(self, question: Question, intended_at: float) -> Call:
        return Call(**self._facts(question, intended_at), dropped=True)

    def _facts(self, question: Question, intended_at: float) -> dict[str, Any]:
        """What is known of a call before it is sent."""
        return {
            "id": question.id,
            "load": self._spec.id,
            "number": question.number,
            "tagged": question.tagged,
            "api": self._spec.request.api,
            "stream": self._spec.request.stream,
            "model": question.model,
            "intended_at": intended_at,
        }
