"""What the official openai SDK makes of each fault: error class, lost text, retries.

The outcomes are those that were measured against a raw server that emits the same faults by itself.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.real.sdk_bench import TEXT, TIMEOUT_S, Case, Outcome, broken, check, cut, named, without

openai = pytest.importorskip("openai")
pytestmark = pytest.mark.real

QUESTION = [{"role": "user", "content": "hi"}]
STREAMED = [
    Case({"type": "http.status", "status": 401}, "AuthenticationError[401]", "", asked=1, paid=0),
    Case({"type": "http.status", "status": 503}, "InternalServerError[503]", "", asked=3, paid=0),
    Case({"type": "http.status", "status": 529}, "InternalServerError[529]", "", asked=3, paid=0),
    Case({"type": "http.rate_limit", "retry_after_ms": 1}, "RateLimitError[429]", "", asked=3, paid=0),
    Case({"type": "http.rate_limit", "retry_after": "3600"}, "RateLimitError[429]", "", asked=1, paid=0),
    Case({"type": "conn.refuse"}, "APIConnectionError", "", asked=0, paid=0),
    Case({"type": "conn.refuse", "stage": "after_request"}, "APIConnectionError", "", asked=3, paid=0),
    Case({"type": "conn.blackhole"}, "APITimeoutError", "", asked=3, paid=0),
    Case({"type": "conn.lost_response"}, "APITimeoutError", "", asked=3, paid=3),
    Case({"type": "partition", "mode": "reset"}, "APIConnectionError", "", asked=0, paid=0),
    Case({"type": "time.first_token", "mean": "50ms"}, None, TEXT, finish="stop"),
    Case({"type": "time.inter_token", "mean": "5ms"}, None, TEXT, finish="stop"),
    Case({"type": "time.stall", "where": "token:5", "hold": "forever"}, "APITimeoutError", cut(5)),
    Case({"type": "stream.truncate", "where": "token:5"}, None, cut(5)),
    Case({"type": "stream.truncate", "where": "token:5", "framing": "close"}, None, cut(5)),
    Case({"type": "stream.fin", "where": "token:5"}, "APIConnectionError", cut(5)),
    Case({"type": "stream.reset", "where": "token:5"}, "APIConnectionError", cut(5)),
    Case({"type": "sse.drop", "where": "token:5"}, None, without(5), finish="stop"),
    Case({"type": "sse.malformed", "where": "token:5"}, "JSONDecodeError", cut(4)),
    Case({"type": "llm.error_event", "where": "token:5"}, "APIError", cut(5)),
    Case({"type": "llm.no_terminal"}, None, TEXT, finish="stop"),
    Case({"type": "llm.no_terminal", "which": "both"}, None, TEXT),
]


async def _stream(url: str) -> Outcome:
    """A careful application with the asynchronous client."""
    text, finish = "", None
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", timeout=TIMEOUT_S) as client:
        try:
            chunks = await client.chat.completions.create(model="m", messages=QUESTION, stream=True)
            async for chunk in chunks:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
        except Exception as error:  # noqa: BLE001 - which class it is, is the question
            return Outcome(text, finish, named(error))
    return Outcome(text, finish, None)


def _stream_in_thread(url: str) -> Outcome:
    """The same with the synchronous client."""
    text, finish = "", None
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", timeout=TIMEOUT_S) as client:
        try:
            for chunk in client.chat.completions.create(model="m", messages=QUESTION, stream=True):
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
        except Exception as error:  # noqa: BLE001 - which class it is, is the question
            return Outcome(text, finish, named(error))
    return Outcome(text, finish, None)


@pytest.mark.parametrize("case", STREAMED, ids=str)
async def test_streamed(case: Case) -> None:
    """Error class, text and number of requests are those of a real provider that fails in this way."""
    async with broken(case.do) as at:
        await check(case, await _stream(at.url), at)


@pytest.mark.parametrize("case", STREAMED, ids=str)
async def test_streamed_synchronously(case: Case) -> None:
    """The synchronous client comes to the same."""
    async with broken(case.do) as at:
        await check(case, await asyncio.to_thread(_stream_in_thread, at.url), at)


async def test_a_healthy_answer_is_whole() -> None:
    """Without a fault nothing is lost, streamed or plain."""
    async with broken(None) as at:
        streamed = await _stream(at.url)
        async with openai.AsyncOpenAI(base_url=f"{at.url}/v1", api_key="k") as client:
            plain = await client.chat.completions.create(model="m", messages=QUESTION)
        record = await at.journal.exchange(2)

    assert (streamed.text, streamed.finish, streamed.error) == (TEXT, "stop", None)
    assert plain.choices[0].message.content == TEXT
    assert record.sent.text.chars == len(TEXT)


async def test_a_fault_for_streams_leaves_plain_answers_alone() -> None:
    """And the journal says why."""
    async with broken({"type": "stream.truncate", "where": "token:5"}) as at:
        async with openai.AsyncOpenAI(base_url=f"{at.url}/v1", api_key="k") as client:
            plain = await client.chat.completions.create(model="m", messages=QUESTION)
        record = await at.journal.exchange()

    assert plain.choices[0].message.content == TEXT
    assert record.misses[0].reason == "the request does not ask for a stream"


async def test_retries_are_attempts_of_one_call() -> None:
    """The SDK's idempotency key joins them."""
    async with broken({"type": "http.rate_limit", "retry_after_ms": 1}) as at:
        async with openai.AsyncOpenAI(base_url=f"{at.url}/v1", api_key="k") as client:
            with pytest.raises(openai.RateLimitError):
                await client.chat.completions.create(
                    model="m", messages=QUESTION, extra_headers={"idempotency-key": "one"}
                )
        await at.journal.exchange(3)

    assert [(record.call, record.attempt) for record in at.journal.exchanges] == [("one", 1), ("one", 2), ("one", 3)]
    assert [record.sent.retry_after_s for record in at.journal.exchanges] == [0.001] * 3
