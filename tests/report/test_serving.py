"""What a person reads when a proxy starts."""

from __future__ import annotations

import json

from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule
from chaosproxy.report.serving import rule_words, welcome

LISTENERS = {"main": {"url": "http://127.0.0.1:9001", "upstream": "https://api.example.com"}}


def rule(text: str) -> Rule:
    """As --fault builds it."""
    return Rule.model_validate({"id": "x", "listeners": ("main",), **parse_flat(text)})


def test_it_tells_how_to_point_a_client_at_it() -> None:
    """Base URLs of both SDKs as a shell takes them, and a curl line whose body is JSON."""
    lines = list(welcome(LISTENERS, [rule("sse.drop each=7")], seed=4, control="http://127.0.0.1:8666"))

    assert lines[0] == "main  http://127.0.0.1:9001  ->  https://api.example.com"
    assert "control API at http://127.0.0.1:8666" in lines
    assert "export OPENAI_BASE_URL=http://127.0.0.1:9001/v1" in lines
    assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:9001" in lines
    assert "fault x on main: sse.drop each=7" in lines
    (body,) = (line.strip().removeprefix("-d ").strip("'") for line in lines if line.strip().startswith("-d"))
    assert json.loads(body)["stream"] is True


def test_without_faults_it_says_so() -> None:
    """Nobody should wait for a fault that is not there."""
    assert any("no fault" in line for line in welcome(LISTENERS, [], seed=4, control=None))


def test_a_rule_reads_as_it_was_written() -> None:
    """Settings as given, defaults too; --fault takes the words again."""
    text = "stream.truncate where=token:5 share=20% match.stream=true max_hits=3"

    assert rule_words(rule(text)) == text
    assert rule(rule_words(rule(text))) == rule(text)


def test_lists_and_mappings_are_flat() -> None:
    """Commas and dots, as on the command line."""
    text = "sse.drop each=7 never=terminal,usage match.header.x-tenant=a*"

    assert rule_words(rule(text)) == text
