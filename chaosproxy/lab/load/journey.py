"""Walks the journeys of a load: step after step, each sent when the one before has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chaosproxy import __version__
from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import Call, Sent
from chaosproxy.lab.load.client import Client
from chaosproxy.lab.load.question import NUMBERS_PER_LOAD
from chaosproxy.lab.load.step import API, StepTranscript

if TYPE_CHECKING:
    from chaosproxy.experiment.load_settings import JourneyStep
    from chaosproxy.lab.load.job import LoadJob


class Journeys:
    """The journeys of one load, by their numbers (from 1)."""

    def __init__(
        self, job: LoadJob, index: int, client: Client, record: Callable[[AnyRecord], None], clock: Callable[[], float]
    ) -> None:
        self._job = job
        self._spec = job.loads[index]
        self._first = index * NUMBERS_PER_LOAD
        self._client = client
        self._record = record
        self._clock = clock

    async def walk(self, number: int, intended_at: float) -> None:
        """All steps, or as many as the user makes."""
        for index, step in enumerate(self._spec.journey):
            begin = self._clock()
            facts = self._facts(number, index, intended_at if index == 0 else begin)
            self._record(Sent(**facts, sent_at=begin))
            transcript = StepTranscript(step, begin)
            connection = await self._client.ask(self._request(step, number), transcript, step.request.timeout)
            self._record(transcript.call(facts))
            await self._client.part(connection, transcript)
            if not transcript.completed and step.next == "end":
                return

    def dropped(self, number: int, intended_at: float) -> Call:
        """One that was never begun."""
        return Call(**self._facts(number, 0, intended_at), dropped=True)

    def _request(self, step: JourneyStep, number: int) -> bytes:
        headers = {
            "accept-encoding": "identity",
            "user-agent": f"chaosproxy-load/{__version__}",
            **({"content-type": "application/json"} if step.request.body else {}),
            **{name.lower(): value for name, value in step.request.headers.items()},
        }
        path = step.request.path.replace("{number}", str(number))
        body = step.request.body.replace("{number}", str(number)).encode()
        return self._client.request(self._client.path_of(path), headers, body, step.request.method)

    def _facts(self, number: int, index: int, intended_at: float) -> dict[str, Any]:
        step = self._spec.journey[index]
        workflow = f"cp-{self._job.nonce}-{self._first + number}"
        return {
            "id": f"{workflow}-{step.id}",
            "load": self._spec.id,
            "number": number,
            "tagged": False,
            "api": API,
            "stream": False,
            "model": "",
            "intended_at": intended_at,
            "workflow": workflow,
            "step": step.id,
            "steps": len(self._spec.journey),
        }
