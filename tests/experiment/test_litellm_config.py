"""A configuration of LiteLLM's proxy, with listeners of ours in it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from chaosproxy.errors import InvalidExperiment
from chaosproxy.experiment.litellm_config import PROVIDERS, Patched, patch, proxies_file
from chaosproxy.experiment.load_proxies import parse_proxies

CONFIG = """\
# ours, with a comment
model_list:
  - model_name: chat
    litellm_params:
      model: gpt-4o   # without a base
      api_key: os.environ/OPENAI_API_KEY
  - model_name: chat
    litellm_params: {model: azure/x, api_base: "https://my.openai.azure.com/", api_key: os.environ/AZURE_KEY}
  - model_name: spare model
    litellm_params: {api_base: os.environ/SPARE_URL, model: openai/lab}
  - model_name: aws
    litellm_params: {model: bedrock/x}
router_settings: {fallbacks: [{chat: [spare model]}]}
general_settings: {master_key: os.environ/THE_KEY}
"""
ENV = {"SPARE_URL": "http://10.0.0.7:8000/v1", "OPENAI_API_KEY": "sk-very-secret", "AZURE_KEY": "sk-also-secret"}


def patched(models: str, env: dict[str, str] | None = None) -> Patched:
    """Of the entries of a model_list."""
    return patch(f"model_list:\n{models}", "config.yaml", env or {})


def params(text: str) -> list[dict[str, Any]]:
    """What LiteLLM will read."""
    return [entry["litellm_params"] for entry in yaml.safe_load(text)["model_list"]]


def test_every_deployment_calls_a_listener_of_its_own() -> None:
    """With and without api_base, as a reference too; the path stays. Nothing else is changed."""
    found = patch(CONFIG, "config.yaml", ENV)

    before, after = yaml.safe_load(CONFIG), yaml.safe_load(found.text)
    bases = [one.pop("api_base", None) for one in params(found.text)]
    assert bases == ["http://127.0.0.1:9001/v1", "http://127.0.0.1:9002", "http://127.0.0.1:9003/v1", None]
    for each in (*before["model_list"], *after["model_list"]):
        each["litellm_params"].pop("api_base", None)
    assert after == before
    assert "# ours, with a comment" in found.text
    assert "gpt-4o   # without a base" in found.text


def test_the_listeners_stand_before_the_upstreams() -> None:
    """Default addresses of providers, written ones, references; who is fallen back to has that role."""
    found = patch(CONFIG, "config.yaml", ENV)

    listeners = parse_proxies(proxies_file(found), "proxies.yaml", env=ENV).listeners
    assert {name: (each.upstream, each.role) for name, each in listeners.items()} == {
        "chat": ("https://api.openai.com/v1", None),
        "chat-2": ("https://my.openai.azure.com/", None),
        "spare-model": ("http://10.0.0.7:8000/v1", "fallback"),
    }
    assert "${env:SPARE_URL}" in proxies_file(found)
    assert (found.left, found.key_variable) == (("bedrock/x",), "THE_KEY")


def test_secrets_stay_references() -> None:
    """None of the environment's values is in what is written."""
    found = patch(CONFIG, "config.yaml", {**ENV, "THE_KEY": "sk-master"})

    written = found.text + proxies_file(found)
    assert "os.environ/OPENAI_API_KEY" in written
    assert not [secret for secret in ("sk-very-secret", "sk-also-secret", "sk-master") if secret in written]


def test_a_literal_master_key_is_not_repeated() -> None:
    """It is asked for in the variable that LiteLLM itself reads."""
    text = "model_list: [{model_name: a, litellm_params: {model: gpt-4o}}]\ngeneral_settings: {master_key: sk-1234}\n"
    assert patch(text, "c", {}).key_variable == "LITELLM_MASTER_KEY"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_default_of_each_provider_we_know(provider: str) -> None:
    """With its path before that of each request."""
    (found,) = patched(f"  - {{model_name: a, litellm_params: {{model: {provider}/x}}}}\n").deployments
    assert found.upstream == PROVIDERS[provider]
    assert found.calls.startswith("http://127.0.0.1:9001")


def test_shared_and_merged_parameters() -> None:
    """An alias is one deployment; a merged mapping gets a base of its own, which wins."""
    found = patched(
        "  - model_name: a\n    litellm_params: &one {model: gpt-4o}\n"
        "  - model_name: b\n    litellm_params: *one\n"
        '  - model_name: c\n    litellm_params:\n      <<: {api_base: "http://x/v1"}\n      model: openai/y\n'
    )
    assert [one["api_base"] for one in params(found.text)] == [
        "http://127.0.0.1:9001/v1",
        "http://127.0.0.1:9001/v1",
        "http://127.0.0.1:9002/v1",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "config.yaml:1:1: a configuration of LiteLLM begins with model_list:"),
        ("a: [\n", "config.yaml:2:1: not valid YAML: the file ends inside"),
        ("model_list: []\n", "config.yaml:1:13: model_list: expected a list of models"),
        ("other: 1\n", "config.yaml:1:1: model_list: expected a list of models"),
        (
            "model_list:\n  - {model_name: a}\n",
            "config.yaml:2:5: model_list[0]: expected model_name, and litellm_params",
        ),
        (
            "model_list:\n  - {model_name: a, litellm_params: {model: groqq/x}}\n",
            "config.yaml:2:45: model_list[0].litellm_params.model: there is no api_base, and where 'groqq/x'",
        ),
        (
            "model_list:\n  - {model_name: a, litellm_params: {model: openai/x, api_base: 'http://me:pw@x'}}\n",
            "config.yaml:2:65: model_list[0].litellm_params.api_base: expected an http or https URL without user",
        ),
        (
            "model_list:\n  - {model_name: a, litellm_params: {model: openai/x, api_base: os.environ/NOWHERE}}\n",
            "the environment variable NOWHERE is not set",
        ),
        (
            "model_list:\n  - {model_name: a, litellm_params: {model: openai/x, litellm_credential_name: c}}\n",
            "its address is in a credential; write api_base here, too",
        ),
        ("model_list:\n  - {model_name: a, litellm_params: {model: bedrock/x}}\n", "(bedrock/x stay as they are)"),
    ],
)
def test_mistakes_are_explained_with_their_place(text: str, message: str) -> None:
    """And no secret of a URL is repeated."""
    with pytest.raises(InvalidExperiment) as refused:
        patch(text, "config.yaml", {})

    assert message in str(refused.value)
    assert "pw" not in str(refused.value)


def test_a_provider_that_is_almost_known() -> None:
    """The nearest one is named."""
    with pytest.raises(InvalidExperiment, match=r"did you mean groq\?"):
        patched("  - {model_name: a, litellm_params: {model: groqq/x}}\n")


def test_all_mistakes_at_once() -> None:
    """In the order of the file."""
    bad = "  - {model_name: a, litellm_params: {model: nobody/x}}\n"
    with pytest.raises(InvalidExperiment) as refused:
        patched(bad * 3)
    assert [problem.line for problem in refused.value.problems] == [2, 3, 4]
