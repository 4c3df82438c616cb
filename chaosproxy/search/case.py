"""A plan as an experiment file, and back: what the search has found can be read, run, edited, kept and tried again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from chaosproxy.errors import UserError
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.experiment.model import Experiment
from chaosproxy.faults import describe
from chaosproxy.plan.rule import Rule
from chaosproxy.search.observation import Plan, Setting
from chaosproxy.search.promise import Broken
from chaosproxy.units import format_duration

TARGET_VAR, REQUESTS_VAR = "target", "max_requests"
_LAB = "lab"
_LASTS_S = 10.0


@dataclass(frozen=True, slots=True)
class Case:
    """A plan that breaks a promise of ``target`` (``module:name``), and the world in which it does."""

    target: str
    plan: Plan
    setting: Setting
    requests_max: int
    broken: Broken

    @property
    def name(self) -> str:
        """For its file: the target and the finding."""
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{self.target}-{self.broken.key}").strip("-.")[:100]


def experiment_of(
    plan: Plan, setting: Setting, *, name: str, variables: dict[str, str] | None = None
) -> dict[str, Any]:
    """The experiment that does to one call what the search did, as a file has it."""
    spans = [rule.lasts for rule in plan if rule.lasts is not None]
    return {
        "experiment": "v1",
        "name": name,
        "seed": setting.seed,
        **({"vars": variables} if variables else {}),
        "systems": {_LAB: {"lab": "backend", "tokens": setting.tokens, "ttft": "0s", "inter_token": "0s"}},
        "topology": {
            "entry": f"${{listener.{setting.listeners[0]}}}",
            "backends": {name: {"upstream": _LAB, "dialect": setting.dialect} for name in setting.listeners},
        },
        "load": {
            "calls": 1,
            "request": {"api": setting.dialect, "stream": True, "timeout": format_duration(setting.deadline_s)},
        },
        "timeline": {"warmup": "0s", "lasts": format_duration(max([_LASTS_S, *spans]))},
        "faults": [_entry(rule) for rule in plan],
        "hypothesis": [f"{measure} == 0" for measure in _MEASURES],
    }


_MEASURES = ("hung", "silent_truncated", "silent_empty", "silent_corrupt", "duplicated")


def _entry(rule: Rule) -> dict[str, Any]:
    kept = rule.model_dump(mode="json", exclude_defaults=True, include={"match", "lasts", "share", "streams"})
    target = rule.listeners[0] if len(rule.listeners) == 1 else list(rule.listeners)
    return {"id": rule.id, "target": target, "at": "0s", **kept, "do": describe(rule.do)}


def case_text(case: Case) -> str:
    """The file. Its first lines say what was found, and how to try it again."""
    variables = {TARGET_VAR: case.target, REQUESTS_VAR: str(case.requests_max)}
    value = experiment_of(case.plan, case.setting, name=case.name, variables=variables)
    faults, hypothesis = value.pop("faults"), value.pop("hypothesis")
    lines = [f"# Found by chaosproxy search: the call {case.broken.words}.".replace("\n", " ")]
    lines += [f"# Try it again: chaosproxy replay {case.name}.yaml"]
    lines += [f"{key}: {_flow(part)}" for key, part in value.items()]
    lines += ["faults:", *(f"  - {_flow(entry)}" for entry in faults)]
    lines += ["hypothesis:", *(f"  - {claim}" for claim in hypothesis)]
    return "\n".join(lines) + "\n"


def _flow(part: Any) -> str:
    text: str = yaml.safe_dump(part, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def case_of(experiment: Experiment, source: str) -> tuple[str, Plan, Setting, int]:
    """Target, plan, setting and the most requests of a file that the search wrote. Raises UserError."""
    lab = experiment.systems.get(_LAB)
    if TARGET_VAR not in experiment.vars or not isinstance(lab, BackendSettings):
        raise UserError(
            f"{source}: this is no file of chaosproxy search: it has vars.{TARGET_VAR} and a system {_LAB!r}"
        )
    if late := [fault.id for fault in experiment.faults if fault.at != 0]:
        raise UserError(f"{source}: faults.{late[0]}: in a case of the search all faults begin at 0s")
    if not experiment.loads:
        raise UserError(f"{source}: load: in a case of the search the load is its own")
    backends, request = experiment.topology.backends, experiment.loads[0].request
    setting = Setting(
        dialect=request.api,
        listeners=tuple(backends),
        tokens=lab.tokens,
        deadline_s=request.timeout,
        seed=experiment.seed or 0,
    )
    plan = tuple(
        Rule(
            id=fault.id,
            listeners=fault.target,
            do=fault.do,
            match=fault.match,
            lasts=fault.lasts,
            share=fault.share,
            streams=fault.streams,
        )
        for fault in experiment.faults
    )
    limit = experiment.vars.get(REQUESTS_VAR, "")
    if not limit.isdecimal():
        raise UserError(f"{source}: vars.{REQUESTS_VAR}: expected a whole number, got {limit!r}")
    return experiment.vars[TARGET_VAR], plan, setting, int(limit)
