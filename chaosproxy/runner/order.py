"""What to run, how a run may be stopped from outside, and how it ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from chaosproxy.experiment.claims_of import answer_tokens
from chaosproxy.experiment.model import Experiment
from chaosproxy.lab.load.job import LoadJob


class End(NamedTuple):
    """How a run ended, and why."""

    how: Literal["completed", "gate", "aborted", "interrupted", "terminated", "error"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What to run. ``text`` is the file as it was read, ``overrides`` the variables of -D and
    ``settings`` the values of --sweep by their paths.

    ``plugins`` are modules with faults of the user's, which the proxy has to load, too. Relative
    paths in the file are meant from ``folder``.
    """

    experiment: Experiment
    seed: int
    run_id: str
    nonce: str
    file: str
    text: str
    overrides: dict[str, str]
    directory: Path
    prompts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    folder: Path = Path()
    settings: dict[str, str] = field(default_factory=dict)

    def file_of(self, path: str | None) -> str | None:
        """A path of the experiment, as this process finds it."""
        return None if path is None else str(self.folder / path)

    def load_job(self, entry: str, origin: float) -> LoadJob:
        """What the load has to do; t = 0 is at ``origin``."""
        timeline = self.experiment.timeline
        return LoadJob(
            loads=self.experiment.loads,
            prompts=self.prompts,
            entry=entry,
            seed=self.seed,
            nonce=self.nonce,
            warmup_s=timeline.warmup,
            lasts_s=timeline.lasts,
            origin_mono=origin,
            answer_tokens=answer_tokens(self.experiment),
            ca=self.file_of(self.experiment.topology.ca),
        )


class Stop:
    """Asks a run to end early, from a signal handler or another task of its loop."""

    def __init__(self) -> None:
        self._asked: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    def ask(self, how: Literal["interrupted", "terminated"]) -> None:
        """The first one counts."""
        if not self._asked.done():
            self._asked.set_result(End(how))

    async def asked(self) -> End:
        """Wait for it."""
        return await asyncio.shield(self._asked)
