"""An experiment file as something that can be made smaller: fewer faults, smaller values, a shorter timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from chaosproxy.errors import InvalidExperiment
from chaosproxy.experiment.entries import FaultEntry
from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.yaml_text import dotted
from chaosproxy.search.halving import half
from chaosproxy.units import format_duration

Setting = tuple[str, ...]
"""Where a value stands: the id of a fault and the keys inside it; or ("timeline", "lasts")."""
TIMELINE: Setting = ("timeline", "lasts")
SHORTER = 0.9
"""A timeline is shortened when it becomes at most this part of what it was."""
AFTER_FAULTS_S = 1.0
"""How long a shortened timeline goes on after its last fault."""
_LINE = 118


@dataclass(frozen=True)
class Candidate:
    """A smaller drill: which faults are left, and the values that differ from the file's. ``change`` is for people."""

    faults: tuple[str, ...]
    settings: Mapping[Setting, str] = field(default_factory=dict)
    change: str = ""


class Drill:
    """What is minimized. ``plain`` is the file with all its faults written out, ``read`` understands such a file."""

    def __init__(
        self, plain: Mapping[str, Any], experiment: Experiment, expectation: str, read: Callable[[str], Experiment]
    ) -> None:
        self._plain = _with_ids(plain, experiment, expectation)
        self._read = read
        self._experiment = experiment
        self._begins = {span.fault.id: span.at_s for span in experiment.spans()}

    @property
    def fault_ids(self) -> tuple[str, ...]:
        """Of all faults, in the order of the file."""
        return tuple(fault.id for fault in self._experiment.faults)

    def whole(self) -> Candidate:
        """All faults, all values as they are."""
        return Candidate(self.fault_ids, change="everything, again")

    def only(self, faults: Sequence[str]) -> Candidate:
        """These faults, with the values of the file."""
        return Candidate(tuple(faults), change=f"only {', '.join(faults)}")

    def settings(self, candidate: Candidate) -> dict[Setting, str]:
        """What can be halved: durations, shares and positions of its faults, as they are in it."""
        found: dict[Setting, str] = {}
        for fault in self._experiment.faults:
            if fault.id in candidate.faults:
                found |= {(fault.id, *path): text for path, text in self._values(fault, candidate.faults)}
        return {path: candidate.settings.get(path, text) for path, text in found.items() if half(text) is not None}

    def _values(self, fault: FaultEntry, kept: Sequence[str]) -> Iterator[tuple[Setting, str]]:
        values = fault.model_dump(mode="json", exclude_unset=True)
        if fault.follows is not None and fault.follows not in kept:
            values["at"] = format_duration(round(self._begins[fault.id], 3))
            values.pop("delay", None)
        for key in ("lasts", "do", "share", "flap", "at", "delay"):
            match values.get(key):
                case str() as text:
                    yield (key,), text
                case dict() as inside:
                    yield from (((key, name), text) for name, text in inside.items() if isinstance(text, str))

    def with_settings(self, candidate: Candidate, values: Mapping[Setting, str]) -> Candidate:
        """The same faults with other values."""
        before = self.settings(candidate)
        changed = {path: text for path, text in values.items() if text != before[path]}
        words = ", ".join(f"{name_of(path)} {before[path]} -> {text}" for path, text in changed.items())
        return replace(candidate, settings={**candidate.settings, **changed}, change=words)

    def shortened(self, candidate: Candidate) -> Candidate | None:
        """With a timeline that ends soon after its last fault; None when that is hardly shorter."""
        experiment = self.read(candidate)
        timeline = experiment.timeline
        first_s = experiment.gate.window if experiment.gate else 0.0
        end_s = max([span.end_s for span in experiment.spans()], default=first_s)
        lasts_s = round(end_s + AFTER_FAULTS_S + timeline.quiet_tail, 3)
        if lasts_s > SHORTER * timeline.lasts:
            return None
        before, lasts = format_duration(timeline.lasts), format_duration(lasts_s)
        settings = {**candidate.settings, TIMELINE: lasts}
        return replace(candidate, settings=settings, change=f"{dotted(TIMELINE)} {before} -> {lasts}")

    def changes(self, candidate: Candidate) -> dict[Setting, tuple[str, str]]:
        """The values that differ from the file's: before and after."""
        before = {
            TIMELINE: format_duration(self._experiment.timeline.lasts),
            **self.settings(self.only(candidate.faults)),
        }
        return {path: (before[path], text) for path, text in candidate.settings.items()}

    def is_valid(self, candidate: Candidate) -> bool:
        """Whether it is an experiment: a fault may be named by an expectation, or end with the timeline."""
        try:
            self.read(candidate)
        except InvalidExperiment:
            return False
        return True

    def read(self, candidate: Candidate) -> Experiment:
        """The experiment. Raises InvalidExperiment."""
        return self._read(self.text(candidate))

    def text(self, candidate: Candidate) -> str:
        """The file of a candidate."""
        plain = deepcopy(self._plain)
        plain["faults"] = [
            self._entry(entry, candidate) for entry in plain["faults"] if entry["id"] in candidate.faults
        ]
        if not plain["faults"]:
            del plain["faults"]
        if (lasts := candidate.settings.get(TIMELINE)) is not None:
            plain.setdefault("timeline", {})["lasts"] = lasts
        return yaml.dump(
            plain, Dumper=_TextDumper, sort_keys=False, allow_unicode=True, width=_LINE, default_flow_style=None
        )

    def _entry(self, entry: dict[str, Any], candidate: Candidate) -> dict[str, Any]:
        """An entry of ``faults`` with the values of the candidate; it waits for no fault that is left out."""
        after = entry.get("after")
        if after is not None and after.rpartition(".")[0] not in candidate.faults:
            begin = {"at": format_duration(round(self._begins[entry["id"]], 3))}
            rest = {key: value for key, value in entry.items() if key not in ("after", "delay")}
            entry = {"id": rest.pop("id"), **begin, **rest}
        for path, text in candidate.settings.items():
            if path[0] == entry["id"]:
                _put(entry, path[1:], text)
        return entry


class _TextDumper(yaml.SafeDumper):
    """Every scalar of a file is text, so that nothing needs quotes to stay text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base class has it

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _with_ids(plain: Mapping[str, Any], experiment: Experiment, expectation: str) -> dict[str, Any]:
    """With the one expectation, and the ids that faults have when the file gives none: dice are thrown by them.

    ``min_hits`` was meant for the times and shares of the whole drill; what is left is that each fault must hit.
    """
    values = deepcopy(dict(plain))
    faults = [
        {"id": fault.id, **{key: value for key, value in entry.items() if key != "min_hits" or not fault.min_hits}}
        for fault, entry in zip(experiment.faults, values.get("faults", []), strict=True)
    ]
    hypothesis = values["hypothesis"]
    chosen = next(n for n, entry in enumerate(experiment.hypothesis) if entry.id == expectation)
    entry = hypothesis[chosen]
    written = {"expect": entry} if isinstance(entry, str) else entry
    return {**values, "faults": faults, "hypothesis": [{"id": expectation, **written}]}


def _put(entry: dict[str, Any], path: Setting, text: str) -> None:
    *outer, last = path
    for key in outer:
        entry = entry[key]
    entry[last] = text


def name_of(path: Setting) -> str:
    """``cut.where`` of ("cut", "do", "where"): no setting of a fault is called like a common key."""
    return ".".join(step for step in path if step != "do")
