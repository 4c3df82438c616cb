"""How long to wait: the settings and the distributions that timing faults share."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from random import Random
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from chaosproxy.events import Exchange
from chaosproxy.faults.base import Fault, Room
from chaosproxy.faults.stages import lacks_stream
from chaosproxy.units import Duration, format_duration

Dist = Literal["constant", "uniform", "normal", "lognormal", "pareto"]


@dataclass(frozen=True, slots=True)
class Law:
    """A distribution of delays by its mean and its jitter, in seconds."""

    mean_s: float
    jitter_s: float
    dist: Dist = "uniform"

    def __str__(self) -> str:
        """For sentences: "2s" or "2s ± 500ms (normal)"."""
        if self.jitter_s == 0:
            return format_duration(self.mean_s)
        return f"{format_duration(self.mean_s)} \u00b1 {format_duration(self.jitter_s)} ({self.dist})"

    def draw_s(self, dice: Random) -> float:
        """One delay; never negative."""
        if self.jitter_s == 0 or self.mean_s == 0 or self.dist == "constant":
            return self.mean_s
        spread = self.jitter_s / self.mean_s
        match self.dist:
            case "uniform":
                return dice.uniform(self.mean_s - self.jitter_s, self.mean_s + self.jitter_s)
            case "normal":
                return max(0.0, dice.gauss(self.mean_s, self.jitter_s))
            case "lognormal":
                variance = log(1 + spread**2)
                return dice.lognormvariate(log(self.mean_s) - variance / 2, sqrt(variance))
            case "pareto":
                shape = 1 + sqrt(1 + 1 / spread**2)
                return self.mean_s * (shape - 1) / shape * dice.paretovariate(shape)


class Delay(Fault):
    """A random delay of the tokens of a stream."""

    room: ClassVar[Room] = Room.TIMING
    profiles: ClassVar[dict[str, Law]]

    mean: Duration
    jitter: Duration = 0.0
    """Half the width of the uniform distribution, the standard deviation of the others."""
    dist: Dist = "uniform"
    """constant takes no jitter; lognormal and pareto have a long tail."""
    profile: Literal["7b", "13b", "70b"] | None = None
    """A model of that size on one GPU, in place of mean, jitter and dist."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Delay:
        given = sorted(self.model_fields_set & {"mean", "jitter", "dist"})
        if self.profile is not None and given:
            raise ValueError(f"profile={self.profile} stands in place of {', '.join(given)}: give one or the other")
        if self.dist == "constant" and self.jitter:
            raise ValueError(f"dist=constant has no jitter, got {format_duration(self.jitter)}")
        if self.dist == "uniform" and self.jitter > self.mean:
            jitter, mean = format_duration(self.jitter), format_duration(self.mean)
            raise ValueError(f"with dist=uniform the jitter ({jitter}) is at most the mean ({mean})")
        return self

    @classmethod
    def neutral(cls) -> Self:
        """No delay."""
        return cls(mean=0.0)

    @property
    def edits_frames(self) -> bool:
        """Tokens have to be found."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Only streams have tokens."""
        return lacks_stream(exchange)

    @property
    def law(self) -> Law:
        """The distribution that the settings mean."""
        return Law(self.mean, self.jitter, self.dist) if self.profile is None else self.profiles[self.profile]
