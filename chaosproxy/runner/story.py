"""The story of one run: start everything, warm up, gate, faults, quiet tail, heal.

However it ends, faults are healed first.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from hashlib import sha256

from chaosproxy import __version__
from chaosproxy.errors import ChaosError, PartFailed, RunAborted
from chaosproxy.experiment.problems import names_a_secret
from chaosproxy.journal.records import (
    VERSION,
    AnyRecord,
    FaultEdge,
    GateJudged,
    Healed,
    Hooked,
    Mark,
    Opened,
    Run,
    Trouble,
)
from chaosproxy.runner.attached import Attachment
from chaosproxy.runner.checks import Checks
from chaosproxy.runner.conductor import Conductor, Cue, cues_of
from chaosproxy.runner.guarding import Guard
from chaosproxy.runner.hooks import Hooks
from chaosproxy.runner.loading import Loading
from chaosproxy.runner.looking import Looking
from chaosproxy.runner.notifying import Notifier
from chaosproxy.runner.order import End, Order, Stop
from chaosproxy.runner.planes import OthersProxy, OwnProxy, Plane
from chaosproxy.runner.probing import Probing
from chaosproxy.runner.racing import first_of, forever, until
from chaosproxy.runner.recorder import Recorder
from chaosproxy.runner.server_side import ServerSide
from chaosproxy.runner.systems import Systems
from chaosproxy.steady_state.claims import watched_by

START_DELAY_S = 0.1
"""From the order to the load, which is ready, to its first intended call."""
CHECK_EACH_S = 0.25
"""How often abort conditions look at the records."""
CLEAR_WITHIN_S = 3.0
"""How long the proxy may take to confirm that nothing is active; after that its leases have to do it."""
BY_DEFAULT = "a default; the key abort of the file changes it"
CANCELLED = End("error", "the run was cancelled")
OVERDUE_S = 0.1
"""A fault that began late, after another one, is ended so long after the time at which all must be over."""
FIRST_FAULT_SLACK_S = 0.01
"""A file without a gate is checked so long before its first fault."""
LAST_CALLS_WITHIN_S = 5.0
"""How long a gate waits for the last calls of its window, unless the first fault is due earlier."""


class RunStory:
    """One run while it lasts."""

    def __init__(self, order: Order, on_record: Callable[[AnyRecord], None], clock: Callable[[], float]) -> None:
        self._order = order
        self._clock = clock
        self._experiment = order.experiment
        self._claims = order.experiment.claims()
        self._checks = Checks(self._claims)
        self._guard = Guard(order.experiment.safety, front=self._claims.front)
        self._hooks = Hooks(order.experiment.hooks, self.record, clock)
        about = {"experiment": order.experiment.name, "run": order.run_id}
        self._notifier = Notifier(order.experiment.notify, about, self.record, clock)
        self._conductor: Conductor | None = None
        self._loading: Loading | Looking | None = None
        self._probing = Probing([fault.id for fault in self._experiment.faults], self.record, clock)
        self._origin = 0.0
        self._healed_at: float | None = None
        self._on_record = on_record
        self._server = ServerSide(order.experiment, clock, self.record)
        self.recorder = Recorder(order.directory, self._noticed)

    def record(self, record: AnyRecord) -> None:
        """Write down something of the runner's own."""
        self.recorder.add("runner", record)

    async def tell(self, stop: Stop) -> End:
        """From the first process to the last."""
        self._open()
        async with AsyncExitStack() as exits:
            end = CANCELLED
            try:
                end = await first_of(self._perform(exits), stop.asked(), self._abort_met())
            except RunAborted as error:
                end = End("aborted", str(error))
            except ChaosError as error:
                end = End("error", str(error))
            finally:
                await asyncio.shield(self._settle(end))
        return end

    def _open(self) -> None:
        order, now = self._order, self._clock()
        wall = time.time()  # noqa: TID251 - the one use of wall time: the opening record
        host, pid = socket.gethostname(), os.getpid()
        facts = Opened(
            version=VERSION, process="runner", host=host, pid=pid, mono=now, wall=wall, chaosproxy=__version__
        )
        self.record(facts)
        self.record(
            Run(
                id=order.run_id,
                name=order.experiment.name,
                seed=order.seed,
                nonce=order.nonce,
                vars={name: "..." if names_a_secret(name) else text for name, text in order.overrides.items()},
                settings=order.settings,
                file=order.file,
                file_sha256=sha256(order.text.encode()).hexdigest(),
                load="external" if self._claims.external else "own",
                watched=watched_by(self._claims),
                entry=None if self._claims.external else self._claims.entry,
                attach="" if self._experiment.topology.attach is None else self._experiment.topology.attach.control,
            )
        )

    async def _perform(self, exits: AsyncExitStack) -> End:
        plane = await self._proxies(exits)
        self._plane = plane
        self._listening = asyncio.create_task(self._listen(plane))
        self._conductor = Conductor(
            plane.line,
            self._order.run_id,
            seed=self._order.seed,
            lease_s=self._experiment.safety.lease,
            clock=self._clock,
            trouble=lambda words: self._trouble("lease", words),
            halted=plane.halted,
        )
        stage = plane.stage
        self._loading = await self._load(plane)
        await self._probing.start(self._experiment.probes, stage.scene)
        await self._hooks.start(self._order.directory, stage.scene.facts)
        self._origin = self._clock() + START_DELAY_S + self._experiment.timeline.warmup
        if isinstance(self._loading, Loading):
            await self._loading.begin(self._order.load_job(stage.entry, self._origin))
        plane.expect(self._origin)
        play = self._play(self._conductor)
        parts = (part.must_live() for part in stage.parts)
        return await first_of(play, plane.broken(), *parts, self._loading.must_live())

    async def _proxies(self, exits: AsyncExitStack) -> Plane:
        """Our own proxy, or the one that the file attaches to, with all that stands around it."""
        order = self._order
        if self._experiment.topology.attach is None:
            stage = await Systems(order, exits, self._server).start()
            return await exits.enter_async_context(OwnProxy(stage, self._server))
        there = Attachment(self._experiment, order.run_id, order.seed, self._clock)
        await exits.enter_async_context(there)
        self.record(there.begun)
        return OthersProxy(await Systems(order, exits, self._server, there.urls).start(), there, self.record)

    async def _listen(self, plane: Plane) -> None:
        try:
            async for record in plane.records():
                self.recorder.add("proxy", record)
        except ChaosError as error:
            self._trouble("events", f"records of the proxy are missing: {error}")

    async def _load(self, plane: Plane) -> Loading | Looking:
        if (external := self._experiment.external) is None:
            return await Loading.start(self._order.directory, partial(self.recorder.add, "load"))
        return Looking(plane.underway, self.record, self._clock, entry=self._claims.entry, drain_s=external.drain)

    async def _play(self, conductor: Conductor) -> End:
        cues = cues_of(self._experiment)
        await self._reach("warmup", -self._experiment.timeline.warmup)
        await self._reach("origin", 0.0)
        if reasons := await self._gate(cues):
            return End("gate", "; ".join(reasons))
        return await first_of(self._until_over(conductor), self._conduct(conductor, cues), self._do_hooks())

    async def _gate(self, cues: list[Cue]) -> list[str]:
        gate = self._experiment.gate
        window_s = gate.window if gate else 0.0
        first_s = min((cue.delay_s for cue in cues if not cue.after), default=self._experiment.timeline.lasts)
        if gate is None and self._experiment.timeline.warmup + first_s == 0:
            return []  # the file asks for a fault before anything can be seen
        await until(self._origin + window_s, self._clock)
        reasons = await self._look(window_s, min(window_s + LAST_CALLS_WITHIN_S, first_s - FIRST_FAULT_SLACK_S))
        if reasons:
            reasons += self._checks.failures(self.recorder.records)
        unknown = bool(reasons) and self._checks.gate_unknown
        self.record(GateJudged(at=self._clock(), held=not reasons, reasons=reasons, unknown=unknown))
        return reasons

    async def _look(self, window_s: float, last_look_s: float) -> list[str]:
        """Judge the gate once the calls of its window have ended, or when they have no more time: faults never wait."""
        while (reasons := self._checks.gate(await self._seen(), max(window_s, last_look_s))) is None:
            if (left_s := self._origin + last_look_s - self._clock()) <= 0:
                return self._checks.gate(await self._seen(), max(window_s, last_look_s), self._clock()) or []
            await asyncio.sleep(min(CHECK_EACH_S, left_s))
        return reasons

    async def _seen(self) -> list[AnyRecord]:
        """All records so far, and what is under way."""
        return [*self.recorder.records, *(await self._loading.underway() if self._loading else ())]

    async def _conduct(self, conductor: Conductor, cues: list[Cue]) -> End:
        await conductor.play(cues, self._origin)
        await forever()

    async def _do_hooks(self) -> End:
        await self._hooks.play(self._origin)
        await forever()

    async def _until_over(self, conductor: Conductor) -> End:
        timeline = self._experiment.timeline
        await until(self._origin + min(timeline.faults_end_s + OVERDUE_S, timeline.lasts), self._clock)
        await conductor.heal()
        await self._hooks.undo()
        self._probing.faults_are_over()
        await self._reach("over", timeline.lasts)
        return End("completed")

    async def _reach(self, mark: str, after_origin_s: float) -> None:
        """Wait for a planned moment and mark it as planned: the load goes by the same times."""
        at = self._origin + after_origin_s
        await until(at, self._clock)
        self.record(Mark(name=mark, at=at))

    async def _abort_met(self) -> End:
        while True:
            await asyncio.sleep(CHECK_EACH_S)
            if breach := self._guard.breach():
                return End("aborted", breach)
            if reason := self._checks.abort(self._clock()):
                return End("aborted", reason if self._experiment.says_when_to_abort else f"{reason} ({BY_DEFAULT})")

    async def _settle(self, end: End) -> None:
        """Heal first, whatever happened; then let calls end, and look whether the system is well again."""
        if end.how == "aborted":
            self._notifier.aborted(end.why)
        quiet = await self._heal()
        await asyncio.gather(self._hooks.close(), self._drain(end))
        if self._conductor is not None:
            self._verify(end, quiet or await self._server.leave())
            await self._end_listening()
        await self._notifier.finish()

    async def _end_listening(self) -> None:
        try:
            await self._plane.finish()
        except ChaosError as error:
            self._trouble("events", f"records of the proxy are missing: {error}")
            self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _drain(self, end: End) -> None:
        """Let probes and calls end; those of a run that broke off at once, so that it costs no more."""
        await (self._probing.finish() if end.how in ("completed", "gate") else self._probing.stop())
        if self._loading is not None:
            if end.how == "gate":
                await self._loading.send_no_more()
            try:
                await (self._loading.drained() if end.how in ("completed", "gate") else self._loading.stop())
            except PartFailed as error:
                self._trouble("load", str(error))
            self.record(Mark(name="drained", at=self._clock()))

    async def _heal(self) -> str:
        """End all faults; why that could not be confirmed, or nothing."""
        if self._conductor is None:
            return ""
        try:
            async with asyncio.timeout(CLEAR_WITHIN_S + self._plane.patience_s):
                await self._conductor.heal()
        except (ChaosError, TimeoutError) as error:
            return f"the proxy did not confirm that its faults are over: {str(error) or 'no answer'}"
        return ""

    def _verify(self, end: End, unconfirmed: str) -> None:
        reasons = [unconfirmed] if unconfirmed else []
        heal, seen = self._experiment.heal, None
        if end.how == "completed" and self._healed_at is not None and self._experiment.gate and "gate" in heal.verify:
            healed_s, over_s = self._healed_at - self._origin, self._experiment.timeline.lasts
            seen, unmet = self._checks.healed(self.recorder.records, healed_s, heal.within, over_s)
            reasons += unmet
        verified = not reasons or (seen is False and not unconfirmed)
        self.record(Healed(at=self._clock(), verified=verified, seen=seen, detail="; ".join(reasons)))

    def _noticed(self, record: AnyRecord) -> None:
        self._checks.notice(record)
        self._probing.notice(record)
        self._server.notice(record)
        self._guard.notice(record)
        self._notifier.notice(record)
        if isinstance(record, FaultEdge) and record.edge == "healed":
            self._healed_at = record.at
        elif isinstance(record, Hooked) and record.what == "undo":
            self._healed_at = record.at + record.took_s
        if self._conductor is not None:
            self._conductor.notice(record)
        self._on_record(record)

    def _trouble(self, part: str, words: str) -> None:
        self.record(Trouble(at=self._clock(), part=part, detail=words))
