"""The price file: what a million tokens of each model cost."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from chaosproxy.errors import InvalidExperiment, Problem, UserError
from chaosproxy.experiment.problems import explain
from chaosproxy.experiment.references import Filled, substitute
from chaosproxy.experiment.safety import PriceList
from chaosproxy.experiment.section import Section
from chaosproxy.experiment.yaml_text import Document, Plain, read_yaml

PLACE = ("safety", "prices")
"""Where an experiment names its file."""


class PriceFile(Section):
    """A file of prices: ``prices: {"gpt-4*": {input: 2.50, output: 10.00}}``."""

    prices: PriceList
    """What a million tokens cost, by globs of models; the first that fits."""


def read_prices(text: str, source: str) -> Plain:
    """The list in a price file, YAML or JSON, as an experiment could hold it itself. Raises InvalidExperiment."""
    document = read_yaml(text, source)
    filled = substitute(document, {}, {})
    problems = [*document.problems, *filled.problems]
    try:
        PriceFile.model_validate(filled.value)
    except ValidationError as error:
        problems += explain(error, PriceFile, document, filled)
    if problems:
        raise InvalidExperiment(problems)
    return filled.value["prices"]


def put_in_prices(document: Document, filled: Filled, read: Callable[[str], str] | None) -> list[Problem]:
    """Put the list of the file that ``safety.prices`` names in its place; what is wrong with it."""
    safety = filled.value.get("safety")
    path = safety.get("prices") if isinstance(safety, dict) else None
    if not isinstance(safety, dict) or not isinstance(path, str) or read is None:
        return []
    try:
        safety["prices"] = read_prices(read(path), path)
    except InvalidExperiment as error:
        problems = error.problems
    except UserError as error:
        problems = [document.problem(PLACE, str(error))]
    else:
        return []
    filled.failed.add(PLACE)
    return problems
