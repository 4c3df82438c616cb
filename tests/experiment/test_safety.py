"""Hours, prices and limits."""

from __future__ import annotations

from datetime import datetime

import pytest

from chaosproxy.errors import BadValue, InvalidExperiment, UserError
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.prices import read_prices
from chaosproxy.experiment.safety import Hours
from chaosproxy.experiment.section import is_local
from chaosproxy.steady_state.spending import Price
from tests.experiment.files import lab, problems_of, written


@pytest.mark.parametrize(
    ("hours", "now", "held"),
    [
        ("09:00-17:00", "2026-11-18 09:00", True),
        ("09:00-17:00", "2026-11-18 16:59", True),
        ("09:00-17:00", "2026-11-18 17:00", False),
        ("09:00-17:00", "2026-11-22 12:00", True),  # a Sunday
        ("mon-fri 09:00-17:00", "2026-11-20 12:00", True),
        ("mon-fri 09:00-17:00", "2026-11-21 12:00", False),
        ("sat-mon 09:00-17:00", "2026-11-23 12:00", True),
        ("sat-mon 09:00-17:00", "2026-11-24 12:00", False),
        ("fri 22:00-06:00", "2026-11-20 23:00", True),
        ("fri 22:00-06:00", "2026-11-21 05:59", True),  # it began on Friday
        ("fri 22:00-06:00", "2026-11-20 05:59", False),
        ("fri 22:00-06:00", "2026-11-21 12:00", False),
    ],
)
def test_hours_hold_when_they_say(hours: str, now: str, held: bool) -> None:
    """Their end is out, and a night belongs to the day on which it begins."""
    assert Hours.parse(hours).hold(datetime.fromisoformat(now)) is held


@pytest.mark.parametrize("text", ["9-17", "09:00-09:00", "09:00-24:00", "moon 09:00-17:00", "09:60-10:00", "mon-fri"])
def test_other_hours_are_refused(text: str) -> None:
    """In words."""
    with pytest.raises(BadValue, match=r"hours|time|day"):
        Hours.parse(text)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1", "http://localhost/v1"])
def test_loopback_is_local(url: str) -> None:
    """Nobody else is asked, and nobody pays."""
    assert is_local(url)


@pytest.mark.parametrize("url", ["http://10.0.0.1", "http://models:8000", "https://api.openai.com", "http://[fe80::1]"])
def test_all_else_is_somebody_elses(url: str) -> None:
    """A name of a compose network too."""
    assert not is_local(url)


class TestPrices:
    """In place, or in a file."""

    TEXT = '{"prices": {"gpt-4*": {"input": 2.5, "output": 10}, "*": {"input": 0, "output": 0}}}'

    def test_a_file_is_yaml_or_json(self) -> None:
        """The first glob that fits counts."""
        files = {"prices.json": self.TEXT}
        experiment = parse_experiment(written(safety={"prices": "prices.json"}), "f.yaml", read=files.__getitem__)
        prices = experiment.safety.price_list()

        assert prices is not None
        assert prices.of("gpt-4o") == Price(2.5, 10)
        assert prices.of("other") == prices.of(None) == Price(0, 0)
        assert lab(safety={"prices": {"m": {"input": "1", "output": "2"}}}).safety.price_list() is not None

    def test_a_file_that_cannot_be_read_is_told_where_it_is_named(self) -> None:
        """With the other mistakes."""

        def read(name: str) -> str:
            raise UserError(f"{name}: no such file or directory")

        assert problems_of(written(safety={"prices": "p.yaml", "max_cost": 1}, seed="x"), read=read) == [
            "safety.prices: p.yaml: no such file or directory",
            "seed: expected a whole number, got 'x'",
        ]

    def test_without_its_folder_a_file_cannot_be_read(self) -> None:
        """A text that came from nowhere names a file somewhere."""
        (problem,) = problems_of(written(safety={"prices": "p.yaml"}))

        assert problem.startswith("safety.prices: the price file could not be read here")

    @pytest.mark.parametrize("text", ["[]", "", "a: b: c", "prices: []", "prices: {m: 5}", "prices: {}"])
    def test_a_broken_file_is_told_in_words(self, text: str) -> None:
        """With its own name."""
        with pytest.raises(InvalidExperiment, match=r"^p\.yaml"):
            read_prices(text, "p.yaml")
