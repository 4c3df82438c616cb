"""docs/metrics.md says what a proxy has, no more and no less."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import Metric

from chaosproxy.control.families import FAMILIES
from chaosproxy.control.figures import FAULTS_MAX, TTFTS_KEPT, Figures
from chaosproxy.control.metrics import Metrics
from chaosproxy.control.outcomes import Cause, Outcome
from chaosproxy.control.summaries import SLO_TARGET, SUMMARIES
from chaosproxy.proxy.proxy import Proxy

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text("utf-8")


def _rows(heading: str) -> list[list[str]]:
    """The cells of a table, by its first heading."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None, heading
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table[1].splitlines()]


def _names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def _registered() -> Iterator[Metric]:
    figures = Figures(lambda: 0.0)
    return iter(Metrics(figures, Proxy([], record=figures.add)).registry.collect())


def test_every_metric_is_on_the_page_as_it_is_registered() -> None:
    """Name, type, labels and meaning; order as well."""
    labels = {family.name: family.labels for family in FAMILIES}
    registered = [
        (
            f"{metric.name}_total" if metric.type == "counter" else metric.name,
            metric.type,
            labels[metric.name],
            metric.documentation,
        )
        for metric in _registered()
        if metric.name.startswith("chaosproxy_")
    ]

    rows = [(_names(name)[0], kind, _names(cell), meaning) for name, kind, cell, meaning in _rows("name")]
    assert rows == registered


def test_every_process_metric_is_on_the_page() -> None:
    """Those that this platform has."""
    names = {f"{each.name}_total" if each.type == "counter" else each.name for each in _registered()}

    assert {name for name in names if not name.startswith("chaosproxy_")} <= set(re.findall(r"`(process_\w+)`", PAGE))


def test_every_outcome_and_cause_is_explained() -> None:
    """One row each."""
    assert [_names(row[0])[0] for row in _rows("outcome")] == list(Outcome)
    paragraph = PAGE[PAGE.index("**Cause**") :].partition("\n\n")[0]
    assert [name for name in _names(paragraph) if name in set(Cause)] == list(Cause)


def test_every_key_in_json_is_on_the_page() -> None:
    """In its order."""
    figures = Figures(lambda: 0.0)
    keys = [(path, key) for path, page in SUMMARIES.items() for key in page(figures)]

    assert [(_names(path)[0], _names(key)[0]) for path, key, _ in _rows("path \\| key")] == keys


def test_numbers_on_the_page_are_those_of_the_code() -> None:
    """Limits and defaults."""
    assert f"more than {FAULTS_MAX} ids" in PAGE
    assert f"newest {TTFTS_KEPT} times" in PAGE
    assert f"| {SLO_TARGET}, or that of the query" in PAGE
