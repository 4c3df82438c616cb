"""``chaosproxy lab``: settings as KEY=VALUE."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from chaosproxy.cli.settings import read_settings
from chaosproxy.errors import InvalidExperiment
from chaosproxy.experiment.lab_settings import BackendSettings, GatewaySettings
from tests.cli.command import chaosproxy


def test_settings_are_read_with_their_units() -> None:
    """The spelling of the experiment file; a dot enters a mapping, commas make a list."""
    texts = ["ttft=200ms", "tokens=7", "should_fail.gpt-3.5=503", "supports_streaming=false", "models=a,b"]

    settings = read_settings(BackendSettings, texts, "lab backend")

    assert settings.ttft == 0.2
    assert settings.tokens == 7
    assert settings.should_fail == {"gpt-3.5": 503}
    assert settings.supports_streaming == {"*": False}
    assert settings.models == ("a", "b")


def test_given_values_stand_beside_the_texts() -> None:
    """What other options say belongs to the same settings."""
    upstreams = {"upstreams": {"primary": "http://127.0.0.1:1"}}

    settings = read_settings(GatewaySettings, ["retries=2"], "lab gateway", upstreams)

    assert settings.retries == 2
    assert list(settings.upstreams) == ["primary"]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["ttft=3"], "lab backend: ttft: expected a time with its unit"),
        (["tokns=3"], "lab backend: tokns: unknown key, did you mean 'tokens'?"),
        (["should_fail.m=5"], "lab backend: should_fail.m: expected at least 400, got '5'"),
        (["tokens"], "lab backend: expected key=value, got 'tokens'"),
        (["tokens=1", "tokens=2"], "lab backend: tokens: is given twice"),
        (["should_fail=500", "should_fail.m=500"], "lab backend: should_fail.m: is given twice"),
    ],
)
def test_wrong_settings_are_explained(texts: list[str], words: str) -> None:
    """Who, which key, what is wrong and what would be right."""
    with pytest.raises(InvalidExperiment) as refused:
        read_settings(BackendSettings, texts, "lab backend")

    assert words in str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    """Exit code 2 and one line for each."""
    said = chaosproxy("lab", "backend", "ttft=3", "tokns=4", "x")

    assert said.code == 2
    assert len(said.err.splitlines()) == 3


def test_a_gateway_needs_upstreams() -> None:
    """Named ones; a URL alone is not enough."""
    assert "upstreams: is missing" in chaosproxy("lab", "gateway").err
    assert "--upstream: expected KEY=VALUE" in chaosproxy("lab", "gateway", "--upstream", "http").err


@pytest.mark.e2e
@pytest.mark.parametrize(
    "words", [["backend", "tokens=3"], ["gateway", "--upstream", "a=http://127.0.0.1:1"], ["availability"]]
)
def test_a_part_says_where_it_listens_and_ends_at_sigterm(words: list[str]) -> None:
    """One ready line, and exit code 0."""
    command = [sys.executable, "-m", "chaosproxy", "lab", *words, "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        os.kill(process.pid, signal.SIGTERM)

        assert process.wait(10) == 0
    assert ready["url"].startswith("http://127.0.0.1:")
