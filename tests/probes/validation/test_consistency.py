"""Metrics that fit together, and those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.probes.validation.consistency import PAGES, consistency, page_check


def pages() -> dict[str, dict[str, Any]]:
    """Of a server that was asked 100 times, 40 of them for a stream; ten failed."""
    return {
        "/metrics": {"total_requests": 100, "requests_per_second": 2.0, "avg_response_time": 0.1},
        "/metrics/events": {"events_published": 120, "events_processed": 119, "queue_depth": 1},
        "/metrics/errors": {"total_requests": 101, "total_errors": 10, "error_rate": 0.1},
        "/metrics/streaming": {
            "total_streams": 40,
            "successful_streams": 35,
            "failed_streams": 5,
            "ttft_percentiles": None,
        },
        "/metrics/slo": {"success_rate": 0.9, "error_budget_remaining": 0.5, "slo_target": 0.8},
    }


def wrong(**changes: Any) -> list[str]:
    """The names of the checks that fail; a change is ``page__name=value``."""
    found = pages()
    for key, value in changes.items():
        page, _, name = key.partition("__")
        found["/metrics" if page == "all" else f"/metrics/{page}"][name] = value
    return [check.name for check in consistency(found, 60, {"total_requests": 41}) if not check.ok]


def test_consistent_pages_have_nothing_wrong() -> None:
    """Two requests apart are nothing: pages are read one after another."""
    assert wrong() == []
    assert wrong(all__total_requests=103, errors__total_requests=101) == []


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"errors__total_requests": 103, "errors__error_rate": 0.1}, ["total_requests of two pages"]),
        ({"all__total_requests": 90, "errors__total_requests": 90}, ["requests counted"]),
        ({"streaming__failed_streams": 4}, ["streams: successful + failed"]),
        ({"slo__success_rate": 0.95, "slo__error_budget_remaining": 0.75}, ["success_rate + error_rate"]),
        ({"errors__total_errors": 30}, ["error_rate of its own counts"]),
        ({"slo__error_budget_remaining": 0.9}, ["error budget"]),
        ({"events__events_processed": 0}, ["events flow"]),
        ({"events__events_processed": 121}, ["events flow"]),
    ],
)
def test_each_contradiction_is_named(changes: dict[str, Any], names: list[str]) -> None:
    """And nothing else is."""
    assert wrong(**changes) == names


def test_a_budget_without_errors_allowed_is_spent() -> None:
    """A target of 1 leaves nothing, and nothing is divided by it."""
    assert wrong(slo__slo_target=1, slo__error_budget_remaining=0.0) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_all_its_numbers(path: str) -> None:
    """What is missing is named; text is no number; percentiles are an object or null."""
    page = pages()[path]
    name = PAGES[path][-1]

    assert page_check(path, page).ok
    assert name in page_check(path, {**page, name: "12"}).detail
    assert not page_check(path, {key: value for key, value in page.items() if key != name}).ok
    assert page_check(path, "status 404").detail == "status 404"
    assert not page_check(path, None).ok
