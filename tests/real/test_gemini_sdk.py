"""The official Gemini client behind a proxy with one fault: what an application sees is what it sees of Google."""

from __future__ import annotations

import asyncio

import pytest

from tests.real.sdk_bench import TEXT, TIMEOUT_S, Case, Outcome, broken, check, cut, without

genai = pytest.importorskip("google.genai")
pytestmark = pytest.mark.real

STREAMED = [
    Case({"type": "stream.truncate", "where": "token:5"}, None, cut(5)),
    Case({"type": "stream.fin", "where": "token:5"}, "RemoteProtocolError", cut(5)),
    Case({"type": "stream.reset", "where": "token:5"}, "ReadError", cut(5)),
    Case({"type": "time.stall", "where": "token:5"}, "ReadTimeout", cut(5)),
    Case({"type": "sse.drop", "where": "token:5"}, None, without(5), finish="STOP"),
    Case({"type": "sse.malformed", "where": "token:5"}, "UnknownApiResponseError", cut(4)),
    Case({"type": "llm.error_event", "where": "token:5"}, "ServerError[503]", cut(5)),
    Case({"type": "llm.no_terminal"}, None, TEXT),
    Case({"type": "http.status", "status": 503}, "ServerError[503]", "", paid=0),
    Case({"type": "http.rate_limit"}, "ClientError[429]", "", paid=0),
]


def _stream(url: str) -> Outcome:
    """A careful application with the synchronous client, which uses no aiohttp."""
    text, finish = "", None
    options = genai.types.HttpOptions(base_url=url, timeout=int(TIMEOUT_S * 1000))
    with genai.Client(api_key="k", http_options=options) as client:
        try:
            for chunk in client.models.generate_content_stream(model="m", contents="hi"):
                text += chunk.text or ""
                for candidate in chunk.candidates or ():
                    finish = candidate.finish_reason.name if candidate.finish_reason else finish
        except Exception as error:  # noqa: BLE001 - which class it is, is the question
            code = getattr(error, "code", None)
            name = type(error).__name__
            return Outcome(text, finish, f"{name}[{code}]" if isinstance(code, int) else name)
    return Outcome(text, finish, None)


@pytest.mark.parametrize("case", STREAMED, ids=str)
async def test_streamed(case: Case) -> None:
    """Error class, text and number of requests are those of a real provider that fails in this way."""
    async with broken(case.do) as at:
        await check(case, await asyncio.to_thread(_stream, at.url), at)


async def test_a_healthy_answer_is_whole() -> None:
    """Without a fault nothing is lost."""
    async with broken(None) as at:
        outcome = await asyncio.to_thread(_stream, at.url)
        record = await at.journal.exchange()

    assert (outcome.text, outcome.finish, outcome.error) == (TEXT, "STOP", None)
    assert (record.dialect, record.sent.text.chars, record.sent.terminal) == ("gemini", len(TEXT), True)
