"""Runs the probes of an experiment, each by its own clock, and writes down what they see."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Collection
from contextlib import suppress

from pydantic import ValidationError

from chaosproxy.errors import ChaosError
from chaosproxy.experiment.probe import ProbeEntry, Scene, Seen
from chaosproxy.journal.records import AnyRecord, FaultEdge, Probed
from chaosproxy.probes.looking import Look, begin
from chaosproxy.units import format_duration

DETAIL_CHARS_MAX = 200
"""Words of a failure beyond it are cut."""
TELLING_CHARS = 6
"""A shorter secret is looked for as a word of its own: it may stand in any other by chance."""
LATE_S = 0.25
"""A deadline that came so much too late was missed by us."""


class Probing:
    """The probes of one run. ``faults`` are the ids of all faults that are to come."""

    def __init__(self, faults: Collection[str], record: Callable[[Probed], None], clock: Callable[[], float]) -> None:
        self._record = record
        self._clock = clock
        self._waiting = set(faults)
        self._injected = asyncio.Event()
        self._healed = asyncio.Event()
        self._never = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._runs: set[asyncio.Task[None]] = set()

    async def start(self, probes: Collection[ProbeEntry], scene: Scene) -> None:
        """Make all ready at the same time, and let them look."""
        looks = await asyncio.gather(*(self._ready(probe, scene) for probe in probes))
        self._tasks = [asyncio.create_task(self._go(*each)) for each in zip(probes, looks, strict=True)]

    def notice(self, record: AnyRecord) -> None:
        """Follow the faults: what is to look before, during or after them goes by when they really act."""
        if isinstance(record, FaultEdge):
            if record.edge == "applied":
                self._injected.set()
            elif record.edge == "healed":
                self._waiting.discard(record.fault)
                if not self._waiting:
                    self._healed.set()

    def faults_are_over(self) -> None:
        """All have been healed, those included that were never applied."""
        self._injected.set()
        self._healed.set()

    async def finish(self) -> None:
        """Begin no new runs; wait for those under way, which their timeouts bound."""
        await self._end(self._tasks)
        await asyncio.gather(*self._runs)

    async def stop(self) -> None:
        """End all now; of runs under way nothing is known."""
        await self._end([*self._tasks, *self._runs])

    async def _end(self, tasks: Collection[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ready(self, probe: ProbeEntry, scene: Scene) -> Look:
        try:
            async with asyncio.timeout(probe.timeout):
                return await begin(probe, scene)
        except TimeoutError:
            why = f"it was not ready to look within {format_duration(probe.timeout)}"
        except (ChaosError, ValidationError) as error:
            why = str(error) if isinstance(error, ChaosError) else "its settings do not fit what the run put into them"

        async def blind() -> Seen:
            return Seen("unknown", None, why)

        return blind

    async def _go(self, probe: ProbeEntry, look: Look) -> None:
        start, end = {
            "all": (None, self._never),
            "before": (None, self._injected),
            "during": (self._injected, self._healed),
            "after": (self._healed, self._never),
        }[probe.during]
        if start is not None:
            await start.wait()
        began = self._clock()
        while not end.is_set():
            run = asyncio.create_task(self._run(probe, look))
            self._runs.add(run)
            run.add_done_callback(self._runs.discard)
            await asyncio.shield(run)
            passed_s = self._clock() - began
            left_s = (math.floor(passed_s / probe.each) + 1) * probe.each - passed_s
            with suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), left_s)

    async def _run(self, probe: ProbeEntry, look: Look) -> None:
        began = self._clock()
        try:
            async with asyncio.timeout(probe.timeout) as deadline:
                seen = await look()
        except TimeoutError:
            overdue = deadline.expired()
            seen = self._overdue(probe, self._clock() - began) if overdue else Seen("unknown", None, "TimeoutError")
        except Exception as error:  # noqa: BLE001 - a user's own kind may raise anything
            seen = Seen("unknown", None, f"{type(error).__name__}: {error}")
        self._record(
            Probed(
                probe=probe.id,
                at=began,
                took_s=self._clock() - began,
                outcome=seen.outcome,
                value=seen.value if seen.value is not None and math.isfinite(seen.value) else None,
                detail=concealed(seen.detail, probe.secrets()),
            )
        )

    def _overdue(self, probe: ProbeEntry, took_s: float) -> Seen:
        if took_s > probe.timeout + LATE_S:
            return Seen("unknown", None, "our own process was late, so the deadline came late, too")
        return Seen(probe.overdue, None, f"no end within {format_duration(probe.timeout)}")


def concealed(words: str, secrets: Collection[str]) -> str:
    """One short line without any of the secrets; the longest first, since one may be a part of another."""
    for secret in sorted(secrets, key=len, reverse=True):
        pattern = re.escape(secret)
        words = re.sub(pattern if len(secret) >= TELLING_CHARS else rf"(?<!\w){pattern}(?!\w)", "...", words)
    words = " ".join(words.split())
    return words if len(words) <= DETAIL_CHARS_MAX else f"{words[:DETAIL_CHARS_MAX]}..."
