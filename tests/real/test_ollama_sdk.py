"""The official Ollama client behind a proxy with one fault: what an application sees is what it sees of Ollama."""

from __future__ import annotations

import pytest

from tests.real.sdk_bench import TEXT, TIMEOUT_S, Case, Outcome, broken, check, cut, named, without

ollama = pytest.importorskip("ollama")
pytestmark = pytest.mark.real

STREAMED = [
    Case({"type": "stream.truncate", "where": "token:5"}, None, cut(5)),
    Case({"type": "stream.fin", "where": "token:5"}, "RemoteProtocolError", cut(5)),
    Case({"type": "stream.reset", "where": "token:5"}, "ReadError", cut(5)),
    Case({"type": "time.stall", "where": "token:5"}, "ReadTimeout", cut(5)),
    Case({"type": "sse.drop", "where": "token:5"}, None, without(5), finish="stop"),
    Case({"type": "sse.malformed", "where": "token:5"}, "JSONDecodeError", cut(4)),
    Case({"type": "llm.error_event", "where": "token:5"}, "ResponseError[-1]", cut(5)),
    Case({"type": "llm.no_terminal"}, None, TEXT),
    Case({"type": "http.status", "status": 503}, "ResponseError[503]", "", paid=0),
    Case({"type": "http.rate_limit"}, "ResponseError[429]", "", paid=0),
]


async def _stream(url: str) -> Outcome:
    """A careful application."""
    text, finish = "", None
    client = ollama.AsyncClient(host=url, timeout=TIMEOUT_S)
    try:
        async for line in await client.chat(model="m", messages=[{"role": "user", "content": "hi"}], stream=True):
            text += line.message.content or ""
            finish = line.done_reason or finish
    except Exception as error:  # noqa: BLE001 - which class it is, is the question
        return Outcome(text, finish, named(error))
    finally:
        await client._client.aclose()
    return Outcome(text, finish, None)


@pytest.mark.parametrize("case", STREAMED, ids=str)
async def test_streamed(case: Case) -> None:
    """Error class, text and number of requests are those of a real server that fails in this way."""
    async with broken(case.do) as at:
        await check(case, await _stream(at.url), at)


async def test_a_healthy_answer_is_whole() -> None:
    """Without a fault nothing is lost."""
    async with broken(None) as at:
        outcome = await _stream(at.url)
        record = await at.journal.exchange()

    assert (outcome.text, outcome.finish, outcome.error) == (TEXT, "stop", None)
    assert (record.dialect, record.sent.text.chars, record.sent.terminal) == ("ollama", len(TEXT), True)
