"""The gateway's cache: what is served again, what must not be, and what its failures cost."""

from __future__ import annotations

import pytest

from chaosproxy.errors import UserError
from chaosproxy.experiment.lab_settings import GatewaySettings
from chaosproxy.lab.gateway import Gateway
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer
from tests.functional.gateway_client import ask, page, scene
from tests.functional.scripted_upstream import TEXT, clean, first_tokens, frames, plain, silence
from tests.functional.stub_redis import BrokenRedis, StubRedis

OPENAI = dialect("openai.chat")
NAMES = ("openai.chat", "openai.responses", "anthropic.messages")


@pytest.mark.parametrize("name", NAMES)
async def test_a_streamed_answer_is_served_again_byte_for_byte(name: str) -> None:
    """With a header that says so, and without asking anybody."""
    spoken, cache = dialect(name), StubRedis()
    async with scene([clean(frames(spoken))], [silence], cache=cache, cache_ttl=5) as at:
        first, again = [await ask(at.gateway, spoken, input="cp-abcd-1") for _ in range(2)]

        assert (await page(at.gateway, "/stats"))["cache"] == {"hits": 1, "misses": 1, "kept": 1, "errors": 0}
    assert (first.text, first.headers["x-cache"]) == (TEXT, "MISS")
    assert (again.body, again.headers["x-cache"]) == (first.body, "HIT")
    assert again.headers["content-type"] == first.headers["content-type"]
    assert len(at.primary.requests) == 1
    assert list(cache.lasts_ms.values()) == [5000]


async def test_a_plain_answer_is_served_again_and_another_question_is_not() -> None:
    """The key is the whole request."""
    body = OPENAI.plain_body(Answer("1", "m", 0, (TEXT,)))
    async with scene([plain(body)], [silence], cache=StubRedis()) as at:
        first, again = [await ask(at.gateway, OPENAI, stream=False) for _ in range(2)]
        other = await ask(at.gateway, OPENAI, stream=False, temperature=1)

    assert first.body == again.body == body
    assert [got.headers["x-cache"] for got in (first, again, other)] == ["MISS", "HIT", "MISS"]


@pytest.mark.parametrize(
    "script", [clean(first_tokens(OPENAI, 2)), plain(b"{}", 404), plain(b"{}"), plain(b'{"error":{"message":"no"}}')]
)
async def test_what_is_not_whole_is_not_kept(script: object) -> None:
    """Neither a cut stream nor an error, whatever its status."""
    cache = StubRedis()
    async with scene([script], [script], cache=cache) as at:  # type: ignore[list-item]
        await ask(at.gateway, OPENAI)

    assert cache.lasts_ms == {}


async def test_a_cache_that_fails_costs_no_call() -> None:
    """It is counted, nothing more."""
    async with scene([clean(frames(OPENAI))], [silence], cache=BrokenRedis()) as at:
        got = await ask(at.gateway, OPENAI)

        assert (await page(at.gateway, "/stats"))["cache"] == {"hits": 0, "misses": 0, "kept": 0, "errors": 2}
    assert got.whole


async def test_a_cache_that_holds_rubbish_knows_nothing() -> None:
    """Another program may write there."""
    cache = StubRedis()
    async with scene([clean(frames(OPENAI))], [silence], cache=cache) as at:
        await ask(at.gateway, OPENAI)
        cache.values = dict.fromkeys(cache.values, b"rubbish")
        got = await ask(at.gateway, OPENAI)

    assert got.whole


async def test_without_the_client_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it listens."""
    monkeypatch.setitem(__import__("sys").modules, "redis.asyncio", None)
    settings = GatewaySettings.model_validate({"upstreams": {"a": "http://127.0.0.1:1"}, "cache": "redis://127.0.0.1"})

    with pytest.raises(UserError, match=r"pip install 'chaosproxy\[redis\]'"):
        await Gateway(settings).start()
