"""Settings of the lab's backend."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chaosproxy.experiment.lab_settings import BackendSettings


def test_values_are_read_as_files_spell_them() -> None:
    """Times need units, numbers may be text, and one value stands for every model."""
    settings = BackendSettings.model_validate(
        {"tokens": "8", "ttft": "200ms", "jitter": "10%", "capacity": "4", "queue_full": "429", "should_fail": "503"}
    )

    assert (settings.tokens, settings.ttft, settings.jitter, settings.queue_full) == (8, 0.2, 0.1, 429)
    assert settings.failure("any") == 503
    assert BackendSettings.model_validate_json(settings.model_dump_json()) == settings


def test_first_glob_that_fits_decides() -> None:
    """Per model: globs are tried in order, and a model that none fits behaves well."""
    settings = BackendSettings.model_validate(
        {"supports_streaming": {"gpt-4-mini": "true", "gpt-4*": "false"}, "should_fail": {"bad*": 500}}
    )

    assert [settings.streams(model) for model in ("gpt-4-mini", "gpt-4", "claude")] == [True, False, True]
    assert [settings.failure(model) for model in ("bad-1", "good")] == [500, None]
    assert not BackendSettings.model_validate({"supports_streaming": "false"}).streams("m")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ttft": "200"}, "unit"),
        ({"queue": 3}, "capacity"),
        ({"load_factor": 2, "capacity": 1}, "capacity"),
        ({"load_factor": 0.5}, "greater"),
        ({"jitter": "31%"}, "0.3"),
        ({"should_fail": 200}, "400"),
        ({"supports_streaming": "yes"}, "true or false"),
        ({"queue_full": 500}, "429 or 503"),
        ({"tokenz": 1}, "Extra"),
    ],
)
def test_nonsense_is_refused(fields: dict[str, Any], words: str) -> None:
    """A setting that cannot be honoured is an error, not a guess."""
    with pytest.raises(ValidationError, match=words):
        BackendSettings.model_validate(fields)
