"""What a run tells those who watch the proxy that it attaches to: its name, its question and its timeline."""

from __future__ import annotations

from chaosproxy.control.messages import WORDS_CHARS_MAX, PlannedFault, Programme
from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.timeline import planned


def programme_of(experiment: Experiment, seed: int, origin: float) -> Programme:
    """``origin`` is t = 0 on the proxy's clock."""
    return Programme(
        name=experiment.name[:WORDS_CHARS_MAX],
        question=experiment.question[:WORDS_CHARS_MAX],
        seed=seed,
        origin=origin,
        warmup_s=experiment.timeline.warmup,
        lasts_s=experiment.timeline.lasts,
        faults=tuple(
            PlannedFault(
                id=span.fault.id,
                type=span.fault.do.type,
                listeners=span.targets,
                at_s=span.at_s,
                lasts_s=max(0.0, span.lasts_s),
            )
            for span in planned(experiment)
        ),
    )
