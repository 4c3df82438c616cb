"""What a call asks and what it expects."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from chaosproxy.errors import UserError
from chaosproxy.lab.load.job import LoadJob
from chaosproxy.lab.load.question import NUMBERS_PER_LOAD, Questions, entry_url
from chaosproxy.lab.text import expected_answer
from chaosproxy.wire.dialects import detect
from chaosproxy.wire.dialects.names import ApiName


def _questions(index: int = 0, tokens: int | None = 40, lines: tuple[str, ...] = (), **spec: Any) -> Questions:
    job = {
        "loads": [{"id": "a", **spec}, {"id": "b"}],
        "prompts": {"a": lines},
        "entry": "http://127.0.0.1:1",
        "seed": 7,
        "nonce": "abcd",
        "warmup_s": 0,
        "lasts_s": 10,
        "origin_mono": 0,
        "answer_tokens": tokens,
    }
    return Questions(LoadJob.model_validate(job), index)


def _prompt(questions: Questions, number: int) -> str:
    return str(json.loads(questions.question(number).body)["messages"][0]["content"])


def test_tag_is_in_the_prompt_and_unique_over_loads() -> None:
    """The call tag carries the run's nonce and a number that no other call of the run has."""
    first, second = _questions().question(3), _questions(1).question(3)

    assert (first.id, second.id) == ("cp-abcd-3", f"cp-abcd-{NUMBERS_PER_LOAD + 3}")
    assert first.id in _prompt(_questions(), 3)


def test_expected_answer_is_the_labs_own() -> None:
    """The oracle is the very function that the backend answers with, cut at max_tokens as the backend cuts."""
    question = _questions(request={"max_tokens": 9}).question(1)

    assert question.expected_text == "".join(expected_answer("cp-abcd-1", 9))
    assert question.expected_tokens == 9


def test_expected_arguments_of_a_tool_call() -> None:
    """A load with tools expects the arguments of the call."""
    for api in {*get_args(ApiName)} - {"ollama.generate"}:
        question = _questions(request={"tools": "true", "api": api}).question(1)

        assert "query" in json.loads(question.expected_text or "")


@pytest.mark.parametrize("api", get_args(ApiName))
@pytest.mark.parametrize("stream", [True, False])
def test_every_api_has_its_path_body_and_key(api: str, stream: bool) -> None:
    """The dialect that claims the path reads in it what the load was told to ask."""
    questions = _questions(request={"api": api, "stream": stream, "max_tokens": 9, "model": "x/y"})
    question = questions.question(1)
    spoken = detect("POST", question.path)
    facts = spoken.read_request(question.body, question.path)

    assert spoken.name.partition(".")[0] == api.partition(".")[0]
    assert (facts.model, facts.stream, facts.max_tokens) == ("x/y", stream, 9)
    assert question.id in (facts.prompt or "")
    assert question.expected_tokens == 9
    keys = {"authorization", "x-api-key", "x-goog-api-key"} & {*questions.headers}
    assert len(keys) == (not api.startswith("ollama"))


@pytest.mark.parametrize(
    ("oracle", "tokens", "text"),
    [("none", 40, None), ("upstream", 40, None), ("auto", None, None), ({"equals": "Paris"}, None, "Paris")],
)
def test_oracle_decides_what_is_expected(oracle: Any, tokens: int | None, text: str | None) -> None:
    """Only lab and equals are known to the client itself."""
    question = _questions(oracle=oracle, tokens=tokens).question(1)

    assert question.expected_text == text
    assert (question.expected is None) == (text is None)


def test_models_are_taken_in_turn() -> None:
    """Call by call through the list, and again."""
    questions = _questions(request={"model": ["x", "y"]})

    assert [questions.question(number).model for number in (1, 2, 3)] == ["x", "y", "x"]


def test_pool_has_so_many_prompts_and_no_tag() -> None:
    """A cache must be able to answer; the prompts come in the order of the seed."""
    pools = [_questions(prompts="pool:3") for _ in range(2)]
    prompts, again = ([_prompt(pool, number) for number in range(1, 40)] for pool in pools)

    assert len(set(prompts)) == 3
    assert prompts == again
    assert not pools[0].question(1).tagged
    assert all("cp-" not in prompt and "abcd" in prompt for prompt in prompts)


def test_file_prompts_are_taken_in_turn_with_a_tag() -> None:
    """Each line of the file is a prompt; the tag stands on a line of its own."""
    questions = _questions(prompts="file:p.txt", lines=("one", "two"))

    assert [_prompt(questions, number) for number in (1, 2, 3)] == [
        "one\n[cp-abcd-1]",
        "two\n[cp-abcd-2]",
        "one\n[cp-abcd-3]",
    ]


def test_empty_file_is_refused() -> None:
    """There is nothing to ask."""
    with pytest.raises(UserError, match=r"p\.txt"):
        _questions(prompts="file:p.txt")


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("http://h:1/", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1", "http://h:1/v1/chat/completions"),
        ("http://h:1/team/v1/", "http://h:1/team/v1/chat/completions"),
        ("http://h:1/team", "http://h:1/team/v1/chat/completions"),
    ],
)
def test_version_is_not_doubled(entry: str, url: str) -> None:
    """The entry may be written with or without /v1, as base URLs of SDKs are."""
    assert entry_url(entry, "/v1/chat/completions") == url


def test_own_headers_win() -> None:
    """A key from the file replaces the dummy one, whatever its case."""
    headers = _questions(request={"headers": {"Authorization": "Bearer mine", "X-Tenant": "a"}}).headers

    assert (headers["authorization"], headers["x-tenant"], headers["accept-encoding"]) == (
        "Bearer mine",
        "a",
        "identity",
    )
