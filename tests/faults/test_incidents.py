"""Real incidents beside the faults that reproduce them."""

from __future__ import annotations

import re

import pytest

from chaosproxy import shipped
from chaosproxy.experiment.profiles import parse_profile
from chaosproxy.faults import CATALOGUE
from chaosproxy.faults.docs import catalogue
from chaosproxy.faults.incidents import INCIDENTS, Incident, incidents_of
from chaosproxy.report.catalogue import explanation
from scripts.generate_reference import pages

REPORTED = """
    BerriAI/litellm: 40404 28216 6957 26067 25843 19077 38606 32086 32475 40130 3646 5964 35785
    openai/openai-python: 2722 3833 1515 1230
    anthropics/anthropic-sdk-python: 1919 1258
    anthropics/anthropic-sdk-typescript: 893
    anthropics/claude-code: 25979
    pydantic/pydantic-ai: 4729 164
    vllm-project/vllm: 42363 53269 9053 13252 5173
    ggml-org/llama.cpp: 14566 20872 24774
    NousResearch/hermes-agent: 7680 6638
    aio-libs/aiohttp: 10596 10355
    earendil-works/pi: 7954 4991 2537
    NuGuardAI/nuguard: 455
    preloop/preloop: 117
    theopenco/llmgateway: 2334
    mnfst/llm-gateway: 2053
    anomalyco/opencode: 50871
    coder/coder: 28185
    openclaw/openclaw: 152535
    caozhiyuan/copilot-api: 88
    MoonshotAI/kimi-code: 1798
    microsoft/amplifier: 339
    vercel/ai: 1517
    open-webui/open-webui: 28938
    fox1245/NeoGraph: 124
    langchain-ai/langchainjs: 11469
    simonw/llm: 294
    ollama/ollama: 10015
    Growth-Circle/cadis: 2950
    TanStack/ai: 1447
    mostlygeek/llama-swap: 236
    api7/aisix: 111
    librefang/librefang: 3448
    mrpulor-gh/nuphus: 41
    matt-house-e/accrue: 44
    mpfaffenberger/code_puppy: 317
    Aider-AI/aider: 5165
    HKUDS/LightRAG: 3446
    letta-ai/letta-code: 1179
"""
"""The reports that the catalogue was made from: each is reproduced by some fault."""


def test_every_report_is_named_once() -> None:
    """None is forgotten, none is told twice."""
    known = [
        f"{project}#{number}"
        for project, numbers in (line.strip().split(": ") for line in REPORTED.strip().splitlines())
        for number in numbers.split()
    ]

    assert sorted(reference for each in INCIDENTS for reference in each.references) == sorted(known)


@pytest.mark.parametrize("told", INCIDENTS, ids=lambda told: told.references[0])
def test_an_incident_names_faults_that_exist(told: Incident) -> None:
    """And half a sentence, and references that can be followed."""
    assert told.faults
    assert set(told.faults) <= {fault.type for fault in CATALOGUE}
    assert told.summary
    assert not told.summary.endswith(".")
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#[1-9]\d*", reference) for reference in told.references)


def test_what_a_profile_imitates_is_known() -> None:
    """A profile is made of faults, so what it imitates is reproduced by some of them."""
    known = {reference for each in INCIDENTS for reference in each.references}
    for name, text in shipped.profiles().items():
        for line in parse_profile(text, name).imitates:
            assert set(line.partition(": ")[0].split(", ")) <= known, (name, line)


def test_a_fault_is_shown_with_its_incidents() -> None:
    """On a terminal, and with links in the reference."""
    (doc,) = [doc for doc in catalogue() if doc.name == "stream.chunk_size"]
    page = pages()["faults.md"]

    assert doc.incidents == incidents_of("stream.chunk_size")
    assert "aio-libs/aiohttp#10596, aio-libs/aiohttp#10355: a malformed chunk" in explanation(doc, None)
    assert "- [aio-libs/aiohttp#10596](https://github.com/aio-libs/aiohttp/issues/10596), [aio-libs/" in page


def test_a_fault_is_shown_with_what_clients_do() -> None:
    """A line of the measured table for each fault that it has."""
    told = [line for line in pages()["faults.md"].splitlines() if line.startswith("[Real clients](clients.md) under ")]

    assert len(told) >= len(CATALOGUE) - 9
    assert any(
        line.startswith("[Real clients](clients.md) under `stream.truncate where=token:5`: **T**") for line in told
    )
