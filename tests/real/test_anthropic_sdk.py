"""What the official anthropic SDK makes of each fault: error class, lost text, retries.

The outcomes are those that were measured against a raw server that emits the same faults by itself.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.real.sdk_bench import TEXT, TIMEOUT_S, Case, Outcome, broken, check, cut, named, without

anthropic = pytest.importorskip("anthropic")
pytestmark = pytest.mark.real

QUESTION = [{"role": "user", "content": "hi"}]
STREAMED = [
    Case({"type": "http.status", "status": 401}, "AuthenticationError[401]", "", asked=1, paid=0),
    Case({"type": "http.status", "status": 503}, "ServiceUnavailableError[503]", "", asked=3, paid=0),
    Case({"type": "http.status", "status": 529}, "OverloadedError[529]", "", asked=3, paid=0),
    Case({"type": "http.rate_limit", "retry_after_ms": 1}, "RateLimitError[429]", "", asked=3, paid=0),
    Case({"type": "conn.refuse"}, "APIConnectionError", "", asked=0, paid=0),
    Case({"type": "conn.blackhole"}, "APITimeoutError", "", asked=3, paid=0),
    Case({"type": "conn.lost_response"}, "APITimeoutError", "", asked=3, paid=3),
    Case({"type": "time.first_token", "mean": "50ms"}, None, TEXT, finish="end_turn"),
    Case({"type": "time.inter_token", "mean": "5ms"}, None, TEXT, finish="end_turn"),
    Case({"type": "time.stall", "where": "token:5", "hold": "forever"}, "ReadTimeout", cut(5)),
    Case({"type": "stream.truncate", "where": "token:5"}, None, cut(5)),
    Case({"type": "stream.fin", "where": "token:5"}, "RemoteProtocolError", cut(5)),
    Case({"type": "stream.reset", "where": "token:5"}, "ReadError", cut(5)),
    Case({"type": "sse.drop", "where": "token:5"}, None, without(5), finish="end_turn"),
    Case({"type": "sse.malformed", "where": "token:5"}, "JSONDecodeError", cut(4)),
    Case({"type": "llm.error_event", "where": "token:5"}, "APIStatusError[200]", cut(5)),
    Case({"type": "llm.no_terminal"}, None, TEXT, finish="end_turn"),
]


async def _stream(url: str) -> Outcome:
    """A careful application with the asynchronous client."""
    text, finish = "", None
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k", timeout=TIMEOUT_S) as client:
        try:
            events = await client.messages.create(model="m", max_tokens=64, messages=QUESTION, stream=True)
            async for event in events:
                if event.type == "content_block_delta":
                    text += event.delta.text
                elif event.type == "message_delta":
                    finish = event.delta.stop_reason
        except Exception as error:  # noqa: BLE001 - which class it is, is the question
            return Outcome(text, finish, named(error))
    return Outcome(text, finish, None)


def _stream_in_thread(url: str) -> Outcome:
    """The same with the synchronous client."""
    text, finish = "", None
    with anthropic.Anthropic(base_url=url, api_key="k", timeout=TIMEOUT_S) as client:
        try:
            for event in client.messages.create(model="m", max_tokens=64, messages=QUESTION, stream=True):
                if event.type == "content_block_delta":
                    text += event.delta.text
                elif event.type == "message_delta":
                    finish = event.delta.stop_reason
        except Exception as error:  # noqa: BLE001 - which class it is, is the question
            return Outcome(text, finish, named(error))
    return Outcome(text, finish, None)


@pytest.mark.parametrize("case", STREAMED, ids=str)
async def test_streamed(case: Case) -> None:
    """Error class, text and number of requests are those of a real provider that fails in this way."""
    async with broken(case.do) as at:
        await check(case, await _stream(at.url), at)


@pytest.mark.parametrize("case", [case for case in STREAMED if case.asked == 1], ids=str)
async def test_streamed_synchronously(case: Case) -> None:
    """The synchronous client comes to the same."""
    async with broken(case.do) as at:
        await check(case, await asyncio.to_thread(_stream_in_thread, at.url), at)


async def test_the_final_message_of_a_cut_stream_has_no_stop_reason() -> None:
    """The one trace that a clean cut leaves in the SDK's helper."""
    async with (
        broken({"type": "stream.truncate", "where": "token:5"}) as at,
        anthropic.AsyncAnthropic(base_url=at.url, api_key="k") as client,
        client.messages.stream(model="m", max_tokens=64, messages=QUESTION) as stream,
    ):
        message = await stream.get_final_message()

    assert message.stop_reason is None
    assert message.content[0].text == cut(5)
