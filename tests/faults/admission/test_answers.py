"""http.status and http.rate_limit: answers in the provider's words, instead of its own."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from chaosproxy.events import Ask, End, Exchange, Frame, Framing, Head, header
from chaosproxy.faults.admission.rate_limit import HttpRateLimit
from chaosproxy.faults.admission.status import HttpStatus
from chaosproxy.faults.base import Metered, Shortage
from chaosproxy.faults.chain import run_through
from tests.faults.playbook import Played, play

UPSTREAM = "ask head role a done end"


def payload(played: Played) -> Any:
    """The JSON body."""
    return json.loads(played.body)


def test_the_error_is_native_to_its_dialect() -> None:
    """One fault, two shapes."""
    openai, anthropic = (
        play("http.status status=529", UPSTREAM),
        play("http.status status=529", "ask", spoken="anthropic.messages"),
    )

    assert set(payload(openai)["error"]) == {"message", "type", "param", "code"}
    assert payload(anthropic)["error"]["type"] == "overloaded_error"
    assert (openai.head.status, openai.head.reason, openai.said) == (529, "", "answered 529")


def test_words_and_fields_can_be_chosen() -> None:
    """They take the place of the usual ones."""
    played = play("http.status status=404 error_type=t code=c message='not here' headers.X-Request-Id=7", UPSTREAM)

    assert payload(played) == {"error": {"message": "not here", "type": "t", "param": None, "code": "c"}}
    assert header(played.head.headers, "x-request-id") == "7"
    assert (played.head.status, played.head.reason) == (404, "Not Found")


def test_a_field_of_the_same_name_is_replaced() -> None:
    """There is one content type."""
    played = play("http.status headers.Content-Type=text/plain", UPSTREAM)

    assert [value for name, value in played.head.headers if name.lower() == "content-type"] == ["text/plain"]


@pytest.mark.parametrize(
    ("flavour", "status", "kind"),
    [
        ("vllm_oom", 500, "InternalServerError"),
        ("engine_dead", 500, "InternalServerError"),
        ("model_loading", 503, "ServiceUnavailableError"),
        ("model_not_found", 404, "NotFoundError"),
    ],
)
def test_vllm_has_words_of_its_own(flavour: str, status: int, kind: str) -> None:
    """With the status as a number in the body; a status that was given wins."""
    played = play(f"http.status flavour={flavour}", UPSTREAM)
    chosen = play(f"http.status flavour={flavour} status=507 message=full", UPSTREAM)

    assert (played.head.status, payload(played)["error"]["code"], payload(played)["error"]["type"]) == (
        status,
        status,
        kind,
    )
    assert (chosen.head.status, payload(chosen)["error"]["message"]) == (507, "full")


def test_vllm_speaks_anthropic_too() -> None:
    """In that dialect's shape."""
    played = play("http.status flavour=engine_dead", UPSTREAM, spoken="anthropic.messages")

    assert payload(played)["type"] == "error"
    assert payload(played)["error"]["message"].startswith("EngineCore")


def test_a_head_request_gets_no_body() -> None:
    """RFC 9110, 9.3.2."""
    stage = HttpStatus().stage(Random(1), Exchange("x", "l", 1, "HEAD", "/file"))

    head, end = run_through(stage, [Ask(1.0)])

    assert isinstance(head, Head)
    assert (head.framing, end) == (Framing.EMPTY, End(1.0))


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "connection"])
def test_framing_is_not_this_faults_to_break(name: str) -> None:
    """Other faults do that, on purpose."""
    with pytest.raises(ValidationError, match=f"headers.{name} belongs to the framing"):
        HttpStatus(headers={name: "1"})


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("retry_after=1", "1"),
        ("retry_after=0.5", "0.5"),
        ("retry_after='Fri, 31 Dec 1999 23:59:59 GMT'", "Fri, 31 Dec 1999 23:59:59 GMT"),
        ("retry_after=soon", "soon"),
        ("limit_headers=true", None),
    ],
)
def test_retry_after_is_sent_as_it_is(line: str, value: str | None) -> None:
    """Seconds, a fraction, a date, any text; absent when not set."""
    played = play(f"http.rate_limit {line}", UPSTREAM)

    assert header(played.head.headers, "retry-after") == value
    assert played.said == "answered 429"


def test_numbers_in_a_file_are_text_too() -> None:
    """``retry_after: 1.5`` in YAML."""
    assert HttpRateLimit.model_validate({"retry_after": 1.5}).retry_after == "1.5"
    with pytest.raises(ValidationError):
        HttpRateLimit.model_validate({"retry_after": True})


def test_limit_headers_are_the_providers_own() -> None:
    """And can be left out."""
    told = play("http.rate_limit retry_after_ms=250", UPSTREAM).head.headers
    silent = play("http.rate_limit limit_headers=false", UPSTREAM).head.headers

    assert (header(told, "x-ratelimit-remaining-requests"), header(told, "retry-after-ms")) == ("0", "250")
    assert all("ratelimit" not in name for name, _ in silent)


def test_an_empty_account_says_so() -> None:
    """OpenAI: 429 insufficient_quota. Anthropic: 402 billing_error. Both without limit headers: no wait helps."""
    openai = play("http.rate_limit quota=true", UPSTREAM)
    anthropic = play("http.rate_limit quota=true", UPSTREAM, spoken="anthropic.messages")

    assert (openai.head.status, payload(openai)["error"]["code"]) == (429, "insufficient_quota")
    assert (anthropic.head.status, payload(anthropic)["error"]["type"]) == (402, "billing_error")
    assert all("ratelimit" not in name for name, _ in openai.head.headers)


def test_a_quota_and_a_rate_exclude_each_other() -> None:
    """An empty account has no rate."""
    with pytest.raises(ValidationError, match="quota=true is an empty account"):
        HttpRateLimit(quota=True, tokens_per_minute=10)


def test_beyond_a_rate_the_true_wait_is_told() -> None:
    """Which quota is empty, when it refills, and the seconds as a whole number."""
    fault = HttpRateLimit(requests_per_minute=60, tokens_per_minute=1000)
    exchange = Exchange("x", "l", 1, "POST", "/v1/chat/completions", "openai.chat")
    assert isinstance(fault, Metered)

    head, body, _ = run_through(fault.refusal(exchange, Shortage("tokens", 2.2)), [Ask(0.0)])

    assert isinstance(head, Head)
    assert isinstance(body, Frame)
    assert {
        name: header(head.headers, name)
        for name in (
            "retry-after",
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-remaining-requests",
        )
    } == {
        "retry-after": "3",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-remaining-requests": "60",
    }
    assert json.loads(body.data)["error"]["type"] == "tokens"


def test_only_a_request_that_is_still_here_can_be_answered() -> None:
    """Not one that was sent already, not one that another fault answered, and not after the heal."""
    sent = play("http.status", UPSTREAM, after=1)
    healed = play("http.status", UPSTREAM, heal_at=0.0)
    answered = run_through(
        HttpStatus().stage(Random(1), Exchange("x", "l", 1, "POST", "/")), [Head(0.0, 429), End(0.0)]
    )

    assert (sent.said, healed.said) == (
        "not hit: the request had already been sent",
        "not hit: healed before the request was complete",
    )
    assert answered == [Head(0.0, 429), End(0.0)]
