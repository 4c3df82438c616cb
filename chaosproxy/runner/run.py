"""Run an experiment and judge it.

Signals, terminals and exit codes are the command line's business; this works in any loop and in any thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaosproxy.errors import UserError
from chaosproxy.journal.reading import Journal
from chaosproxy.journal.records import AnyRecord, Ended
from chaosproxy.runner.guarding import refuse_outside_hours, wall_clock
from chaosproxy.runner.order import Order, Stop
from chaosproxy.runner.story import CANCELLED, RunStory
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.verdict import judge


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is over: healed as far as ``verdict`` says, its journal on disk."""

    verdict: Verdict
    journal: Journal
    path: Path


async def run_experiment(
    order: Order,
    *,
    on_record: Callable[[AnyRecord], None] = lambda _: None,
    stop: Stop | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Finished:
    """Run it and judge it. What goes wrong in the run is part of the verdict, not an exception.

    When its task is cancelled, the faults are healed and the journal is written before the cancellation goes on.
    Raises UserError when there is no place for its results, and outside of ``safety.hours``.
    """
    refuse_outside_hours(order.experiment, wall_clock())
    _make(order.directory)
    story = RunStory(order, on_record, clock)
    end = CANCELLED
    try:
        end = await story.tell(stop or Stop())
    finally:
        story.record(Ended(at=clock(), how=end.how, why=end.why))
        journal, path = story.recorder.write_journal()
    return Finished(judge(journal, order.experiment.claims()), journal, path)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"report.dir: cannot create {directory}: {(error.strerror or str(error)).lower()}") from None
    if not os.access(directory, os.W_OK):
        raise UserError(f"report.dir: {directory} is not writable")
