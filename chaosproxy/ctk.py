"""Actions and probes for experiments of Chaos Toolkit.

They drive a proxy that runs already (``chaosproxy serve --control ...``), or run an experiment of ours. Where the
proxy is, ``control_url`` says, or ``chaosproxy_control_url`` of the experiment's configuration; its token, if it has
one, is ``token`` of the secrets, else CHAOSPROXY_TOKEN. All raise ChaosError in words, which fails the activity.

A fault that was injected from here ends by itself after its ``lease``, also when rollbacks are never played.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from chaosproxy.cli.run import prepare
from chaosproxy.control.client import ControlClient
from chaosproxy.errors import BadValue, PartFailed, UserError
from chaosproxy.experiment.references import hint
from chaosproxy.journal.records import AnyRecord, FaultEdge, Trouble
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule
from chaosproxy.report.console import word
from chaosproxy.report.files import write_reports
from chaosproxy.runner import run as runner
from chaosproxy.runner.order import Order, Stop
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.units import parse_duration

__all__ = [
    "active_faults",
    "fault_hits",
    "heal_all",
    "heal_fault",
    "inject_fault",
    "measure",
    "run_experiment",
    "verdict",
]

OWNER = "chaostoolkit"
"""Begins the name of the owner of each fault; those of others are never touched."""
FIRST_RECORD_WITHIN_S = 10.0
QUIET_S = 0.5
"""All records up to now have been read when none comes for so long."""
LOOK_EACH_S = 0.5
"""How soon a run notices that the toolkit wants to end."""

T = TypeVar("T")
_verdicts: dict[str, Verdict] = {}
"""Of the runs of this process, by file. In a folder an old verdict could be taken for a new one."""


# ----------------------------------------------------------------------------------------------------------- actions


def inject_fault(
    fault: str,
    lease: str = "30s",
    control_url: str | None = None,
    seed: int = 0,
    configuration: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Inject a fault, written as for ``chaosproxy serve --fault``: ``stream.truncate where=token:5 target=primary``.

    Without ``target`` it acts on all listeners, without ``id`` it is called like its type. Injecting the same id again
    replaces it. It ends after ``lease`` at the latest.
    """

    async def inject(client: ControlClient) -> dict[str, Any]:
        lease_s = parse_duration(lease)
        status = await client.status()
        values = {"listeners": tuple(status.listeners), **parse_flat(fault)}
        values = {"id": values["do"]["type"].replace(".", "-"), **values}
        rule = Rule.model_validate(values)
        if unknown := [name for name in rule.listeners if name not in status.listeners]:
            near = hint(unknown[0], status.listeners) or f"; there are {', '.join(status.listeners)}"
            raise UserError(f"{fault}: no listener is called {unknown[0]!r}{near}")
        await client.apply(_owner(rule.id), [rule], lease_s=lease_s, seed=seed)
        return {"id": rule.id, "listeners": list(rule.listeners), "lease_s": lease_s}

    return _asked(inject, control_url, configuration, secrets)


def heal_fault(
    fault_id: str,
    control_url: str | None = None,
    configuration: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Any] | None = None,
) -> None:
    """End a fault that was injected from here; one that has ended already is no mistake."""

    async def heal(client: ControlClient) -> None:
        await _clear(client, _owner(fault_id))

    _asked(heal, control_url, configuration, secrets)


def heal_all(
    control_url: str | None = None,
    configuration: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Any] | None = None,
) -> list[str]:
    """End all faults that were injected from here; their ids."""

    async def heal(client: ControlClient) -> list[str]:
        ours = [active for active in (await client.status()).active if active.owner.startswith(_owner(""))]
        for active in ours:
            await _clear(client, active.owner)
        return [active.id for active in ours]

    return _asked(heal, control_url, configuration, secrets)


def run_experiment(file: str, define: dict[str, str] | None = None, seed: int | None = None) -> dict[str, Any]:
    """Run an experiment file of ours to its end; what it found. Ask :func:`verdict` in the hypothesis.

    When the toolkit is ended meanwhile, the faults are healed before this returns.
    """
    _verdicts.pop(file, None)
    order = prepare(file, dict(define or {}), seed)
    found = _run(order)
    _verdicts[file] = found
    return {
        "verdict": verdict(file),
        "exit_code": found.exit_code,
        "headline": found.headline,
        "replay": found.replay,
        "directory": str(order.directory),
    }


# ------------------------------------------------------------------------------------------------------------ probes


def fault_hits(
    fault_id: str,
    control_url: str | None = None,
    configuration: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Any] | None = None,
) -> int:
    """How many requests (and connections without one) a fault has met since it was injected last; 0 if it never was."""

    async def count(client: ControlClient) -> int:
        hits, lost = 0, ""
        async for record in _until_now(client):
            match record:
                case Trouble(part="events"):
                    lost = record.detail
                case FaultEdge(fault=found, edge="applied") if found == fault_id:
                    hits, lost = 0, ""
                case FaultHit(fault=found) if found == fault_id:
                    hits += 1
        if lost:
            raise PartFailed(f"the hits of {fault_id} cannot be counted: {lost}")
        return hits

    return _asked(count, control_url, configuration, secrets)


def active_faults(
    control_url: str | None = None,
    configuration: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Any] | None = None,
) -> list[str]:
    """The ids of all faults that are active at the proxy, whoever injected them."""

    async def active(client: ControlClient) -> list[str]:
        return [fault.id for fault in (await client.status()).active]

    return _asked(active, control_url, configuration, secrets)


def verdict(file: str) -> str:
    """Of the last run of ``file`` by this process: held, deviated, inconclusive, aborted, error, interrupted.

    ``not run`` while there is none, or when it could not be started.
    """
    return word(_verdicts[file]).lower() if file in _verdicts else "not run"


def measure(file: str, expectation: str, window: str | None = None) -> float | None:
    """What the last run of ``file`` observed for an expectation, by its id.

    In base units (seconds, shares 0..1); None when it could not be known. Raises UserError for an expectation that the
    run has not judged.
    """
    if file not in _verdicts:
        raise UserError(f"{file} was not run")
    rows = _verdicts[file].expectations
    found = [row for row in rows if row.id == expectation and window in (None, row.window)]
    if len(found) != 1:
        known = ", ".join(f"{row.id} [{row.window}]" for row in rows)
        why = "several windows; name one" if found else f"no such expectation{hint(expectation, [r.id for r in rows])}"
        raise UserError(f"{expectation}: {why} (judged: {known or 'none'})")
    return found[0].value


# ---------------------------------------------------------------------------------------------------------- plumbing


def _asked(
    ask: Callable[[ControlClient], Coroutine[Any, Any, T]],
    control_url: str | None,
    configuration: Mapping[str, Any] | None,
    secrets: Mapping[str, Any] | None,
) -> T:
    """Ask the proxy, in a thread: the caller may have a loop of its own."""
    url = control_url or (configuration or {}).get("chaosproxy_control_url")
    if not url:
        raise UserError("control_url: is missing; give it, or chaosproxy_control_url in the configuration")
    token = (secrets or {}).get("token") or os.environ.get("CHAOSPROXY_TOKEN")

    async def talk() -> T:
        async with ControlClient(str(url), token) as client:
            return await ask(client)

    with ThreadPoolExecutor(1) as thread:
        try:
            return thread.submit(lambda: asyncio.run(talk())).result()
        except BadValue as error:
            raise UserError(str(error)) from None


def _owner(fault_id: str) -> str:
    return f"{OWNER}:{fault_id}"


async def _clear(client: ControlClient, owner: str) -> None:
    await client.clear(owner)
    if left := await client.active(owner):
        raise PartFailed(f"still active after they were cleared: {', '.join(left)}")


async def _until_now(client: ControlClient) -> AsyncIterator[AnyRecord]:
    """The proxy's records, up to those of this moment."""
    now = (await client.status()).mono
    async with _closing(client) as records:
        within_s = FIRST_RECORD_WITHIN_S
        while True:
            try:
                record = await asyncio.wait_for(anext(records), within_s)
            except (TimeoutError, StopAsyncIteration):
                return
            within_s = QUIET_S
            yield record
            if getattr(record, "at", now) > now:
                return


@asynccontextmanager
async def _closing(client: ControlClient) -> AsyncIterator[AsyncIterator[AnyRecord]]:
    records = client.events()
    try:
        yield records
    finally:
        if hasattr(records, "aclose"):
            await records.aclose()


def _run(order: Order) -> Verdict:
    """Run it in a thread of its own; whatever ends us early, the run heals first."""
    begun: Future[tuple[asyncio.AbstractEventLoop, Stop]] = Future()

    async def story() -> Verdict:
        stop = Stop()
        begun.set_result((asyncio.get_running_loop(), stop))
        finished = await runner.run_experiment(order, stop=stop)
        write_reports(finished.verdict, order.directory, order.experiment.report.formats)
        return finished.verdict

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: asyncio.run(story()))
        try:
            while not running.done():
                wait([running], timeout=LOOK_EACH_S)
        except BaseException:  # what the toolkit raises from its signal handlers
            loop, stop = begun.result()
            with suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(stop.ask, "interrupted")
            raise
        return running.result()
