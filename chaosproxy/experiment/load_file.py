"""From the text of an experiment file to an Experiment, or to all of its mistakes at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from chaosproxy.errors import InvalidExperiment, Problem
from chaosproxy.experiment.checks import check
from chaosproxy.experiment.draft import SECTIONS_OF_ITEMS, Draft
from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.not_yet import refuse_what_does_not_exist_yet
from chaosproxy.experiment.prices import put_in_prices
from chaosproxy.experiment.problems import conceal, data_path, explain
from chaosproxy.experiment.profiles import with_profiles
from chaosproxy.experiment.references import Filled, substitute
from chaosproxy.experiment.sweep import named_after, with_settings
from chaosproxy.experiment.yaml_text import Document, Path, Plain, read_yaml


def parse_experiment(
    text: str,
    source: str,
    *,
    profiles: Mapping[str, str] | None = None,
    vars: Mapping[str, str] | None = None,  # noqa: A002 - the word of the file, and of -D
    env: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    attach: Mapping[str, str] | None = None,
    read: Callable[[str], str] | None = None,
) -> Experiment:
    """Read an experiment file.

    ``source`` names the file in messages; ``profiles`` are those that ``use`` may name, as texts; ``vars`` are the
    overrides of -D, ``env`` the environment that ``${env:NAME}`` may see; ``settings`` (values by their paths) and
    ``attach`` (the keys of ``topology.attach``) win over the file's; ``read`` gives the text of a file that this one
    names (it may raise UserError). Raises InvalidExperiment with every mistake, and UserError for an override of a
    variable that the file does not have.
    """
    settings = settings or {}
    document = with_settings(with_profiles(read_yaml(text, source), profiles or {}), settings)
    try:
        return _parsed(document, vars or {}, env or {}, attach, read)
    except InvalidExperiment as error:
        raise InvalidExperiment([named_after(problem, settings) for problem in error.problems]) from None


def _parsed(
    document: Document,
    overrides: Mapping[str, str],
    env: Mapping[str, str],
    attach: Mapping[str, str] | None,
    read: Callable[[str], str] | None,
) -> Experiment:
    filled = substitute(document, overrides, env)
    problems = [*document.problems, *filled.problems, *refuse_what_does_not_exist_yet(document, filled)]
    if attach is not None and isinstance(topology := filled.value.get("topology"), dict):
        topology["attach"] = dict(attach)
    problems += put_in_prices(document, filled, read)
    if "name" not in filled.value:
        filled.value["name"] = _stem(document.source)
    try:
        experiment = Experiment.model_validate(filled.value)
    except ValidationError as error:
        problems += explain(error, Experiment, document, filled)
        if (draft := _salvage(error, filled)) is not None:
            problems += _checked(draft, document, filled)
        raise InvalidExperiment(in_file_order(problems)) from None
    problems += _checked(Draft(experiment, filled.value), document, filled)
    if problems:
        raise InvalidExperiment(in_file_order(problems))
    return experiment


def _checked(draft: Draft, document: Document, filled: Filled) -> list[Problem]:
    return [
        document.problem(path, conceal(message, path, filled))
        for path, message in check(draft)
        if path not in filled.failed
    ]


def in_file_order(problems: list[Problem]) -> list[Problem]:
    """Sorted by place, each sentence once."""
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column))


def _stem(source: str) -> str:
    """``drill`` of ``some/where/drill.yaml``, as far as a name may have its characters."""
    stem = re.sub(r"\.ya?ml$", "", re.split(r"[/\\]", source)[-1])
    return re.sub(r"[^\w.-]+", "-", stem).strip("-. ")[:100] or "experiment"


def _salvage(error: ValidationError, filled: Filled) -> Draft | None:
    """What is left when the wrong parts are taken out, so that the rest can be checked too; None if too little is."""
    cut: set[Path] = set()
    for _ in range(_ROUNDS):
        cut |= _wrong_parts(error, filled)
        value = _without(filled.value, cut, ())
        value["experiment"] = "v1"
        value["hypothesis"] = value.get("hypothesis") or [_HARMLESS]
        try:
            return Draft(Experiment.model_validate(value), filled.value, cut)
        except ValidationError as emptied:  # a list that has lost all its items, and must not be empty
            error = emptied
    return None


_ROUNDS = 2
_HARMLESS = "success >= 0%"


def _wrong_parts(error: ValidationError, filled: Filled) -> set[Path]:
    parts = set()
    for each in error.errors(include_url=False, include_input=False):
        path = data_path(each["loc"], filled.value)
        parts.add(path if each["type"] == "extra_forbidden" else _part(path))
    return parts


def _part(path: Path) -> Path:
    """The smallest part around a wrong value that can be left out: an item of a list of entries, else a section."""
    section = next((section for section in SECTIONS_OF_ITEMS if path[: len(section)] == section), None)
    return path[:1] if section is None or path == section else path[: len(section) + 1]


def _without(value: Plain, cut: set[Path], path: Path) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, cut, (*path, key)) for key, item in value.items() if (*path, key) not in cut}
    if isinstance(value, list):
        return [_without(item, cut, (*path, n)) for n, item in enumerate(value) if (*path, n) not in cut]
    return value
