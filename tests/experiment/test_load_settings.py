"""The load as an experiment file spells it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chaosproxy.experiment.load_settings import Arrival, Equals, LoadSpec, Step


def test_defaults_are_those_of_the_smallest_file() -> None:
    """5 calls/s of openai.chat, streamed."""
    spec = LoadSpec()

    assert (spec.arrival.stages(2, 20), spec.request.api, spec.request.stream) == (
        ((5, 2), (5, 20)),
        "openai.chat",
        True,
    )
    assert spec.expected_calls(2, 20) == 110


def test_file_spelling_is_read() -> None:
    """Every key of the public page in its text form, and back through JSON."""
    spec = LoadSpec.model_validate(
        {
            "id": "chat",
            "arrival": {"model": "open", "rate": "20/s", "process": "constant", "max_in_flight": "400"},
            "request": {"api": "anthropic.messages", "stream": "false", "model": ["a", "b"], "timeout": "3s"},
            "prompts": "pool:7",
            "oracle": {"equals": "Paris"},
        }
    )

    assert (spec.arrival.rate, spec.request.model, spec.pool, spec.file) == (20, ("a", "b"), 7, None)
    assert spec.oracle == Equals(equals="Paris")
    assert LoadSpec.model_validate_json(spec.model_dump_json()) == spec
    assert LoadSpec.model_validate({"request": {"model": "one"}, "prompts": "file:p.txt"}).file == "p.txt"


def test_steps_end_with_the_timeline() -> None:
    """The warm-up runs at the first rate, a step ends with the timeline, the last one fills it."""
    arrival = Arrival(steps=(Step(rate=1, lasts=10), Step(rate=2, lasts=10)))

    assert arrival.stages(5, 30) == ((1, 5), (1, 10), (2, 20))
    assert arrival.stages(0, 8) == ((1, 0), (1, 8), (2, 0))


def test_counted_calls_have_no_warmup() -> None:
    """``calls`` bounds the plan, and what the timeline cannot hold is not planned."""
    assert LoadSpec(calls=10).expected_calls(60, 20) == 10
    assert LoadSpec(calls=1000).expected_calls(60, 20) == 100


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"arrival": {"model": "closed"}}, "open"),
        ({"arrival": {"rate": "5"}}, "unit"),
        ({"arrival": {"rate": "5/s", "steps": [{"rate": "1/s", "lasts": "1s"}]}}, "one of them"),
        ({"arrival": {"steps": [{"rate": "1/s", "lasts": "0s"}]}}, "greater"),
        ({"prompts": "pool:0"}, "pool:N"),
        ({"prompts": "file:"}, "file:PATH"),
        ({"oracle": {"regex": "x"}}, "regex"),
        ({"request": {"model": []}}, "model"),
        ({"journey": [{"id": "a", "request": {"path": "x"}}]}, "path"),
        ({"journey": [{"id": "a", "request": {"path": "/"}}] * 2}, "called the same"),
        ({"journey": [{"id": "a", "request": {"path": "/"}}], "request": {"model": "x"}}, "give one of them"),
    ],
)
def test_what_cannot_be_honoured_is_refused(fields: dict[str, Any], words: str) -> None:
    """Closed loops, rates without a unit, unknown oracles: refused, never ignored."""
    with pytest.raises(ValidationError, match=words):
        LoadSpec.model_validate(fields)
