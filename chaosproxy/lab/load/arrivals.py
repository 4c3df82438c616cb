"""When calls are meant to be sent: all times are known before the first call, drawn from the run's seed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

from chaosproxy.experiment.load_settings import LoadSpec


def intended_times(spec: LoadSpec, warmup_s: float, lasts_s: float, draws: Random) -> Iterator[float]:
    """Seconds from t = 0 (the end of the warm-up), in order; the warm-up's are negative."""
    warmup_s = 0.0 if spec.calls else warmup_s
    return islice(_times(spec, -warmup_s, spec.arrival.stages(warmup_s, lasts_s), draws), spec.calls)


def _times(spec: LoadSpec, begin: float, stages: tuple[tuple[float, float], ...], draws: Random) -> Iterator[float]:
    """Each gap is one call's worth of rate: what is left of it at the end of a stage passes at the next one's rate."""
    poisson = spec.arrival.process == "poisson"
    owed = draws.expovariate(1.0) if poisson else 0.0
    for rate, span_s in stages:
        now, end = begin, begin + span_s
        while now + owed / rate < end:
            now += owed / rate
            yield now
            owed = draws.expovariate(1.0) if poisson else 1.0
        owed -= (end - now) * rate
        begin = end
