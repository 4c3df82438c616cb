"""Careful applications of the SDKs that live in our environment: each asks one streamed question.

A client is opened once and asks many servers, because to make its TLS context is what costs most. The modules are
imported by name: not every developer has all of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module

from tests.real.outcomes.seen import Ask, Seen

TIMEOUT_S = 0.5
QUESTION = [{"role": "user", "content": "hi"}]

Asker = Callable[[str], Ask]
"""From the URL of a server, without path."""
Opener = Callable[[], AbstractAsyncContextManager[Asker]]


@asynccontextmanager
async def openai_chat() -> AsyncIterator[Asker]:
    """openai, chat completions."""
    async with import_module("openai").AsyncOpenAI(base_url="http://none", api_key="k", timeout=TIMEOUT_S) as client:

        def asker(url: str) -> Ask:
            async def ask(seen: Seen) -> None:
                create = client.with_options(base_url=f"{url}/v1").chat.completions.create
                async with await create(model="m", messages=QUESTION, stream=True) as chunks:
                    async for chunk in chunks:
                        for choice in chunk.choices or ():
                            seen.text += choice.delta.content or ""
                            seen.finish = choice.finish_reason or seen.finish

            return ask

        yield asker


@asynccontextmanager
async def openai_responses() -> AsyncIterator[Asker]:
    """openai, responses; errors come as ordinary events."""
    async with import_module("openai").AsyncOpenAI(base_url="http://none", api_key="k", timeout=TIMEOUT_S) as client:

        def asker(url: str) -> Ask:
            async def ask(seen: Seen) -> None:
                create = client.with_options(base_url=f"{url}/v1").responses.create
                async with await create(model="m", input="hi", stream=True) as events:
                    async for event in events:
                        kind = getattr(event, "type", None)
                        if kind == "response.output_text.delta":
                            seen.text += event.delta
                        elif kind in {"response.completed", "response.incomplete"}:
                            seen.finish = event.response.status
                        elif kind in {"error", "response.failed"}:
                            seen.error_event = True

            return ask

        yield asker


@asynccontextmanager
async def anthropic_messages() -> AsyncIterator[Asker]:
    """anthropic, the plain iterator over events."""
    async with import_module("anthropic").AsyncAnthropic(
        base_url="http://none", api_key="k", timeout=TIMEOUT_S
    ) as client:

        def asker(url: str) -> Ask:
            async def ask(seen: Seen) -> None:
                create = client.with_options(base_url=url).messages.create
                async with await create(model="m", max_tokens=64, messages=QUESTION, stream=True) as events:
                    async for event in events:
                        if event.type == "content_block_delta":
                            seen.text += event.delta.text
                        elif event.type == "message_delta":
                            seen.finish = event.delta.stop_reason

            return ask

        yield asker


@asynccontextmanager
async def anthropic_helper() -> AsyncIterator[Asker]:
    """anthropic, the helper that puts the message together."""
    async with import_module("anthropic").AsyncAnthropic(
        base_url="http://none", api_key="k", timeout=TIMEOUT_S
    ) as client:

        def asker(url: str) -> Ask:
            async def ask(seen: Seen) -> None:
                helper = client.with_options(base_url=url).messages.stream
                async with helper(model="m", max_tokens=64, messages=QUESTION) as stream:
                    message = await stream.get_final_message()
                seen.text = "".join(block.text for block in message.content)
                seen.finish = message.stop_reason

            return ask

        yield asker


@asynccontextmanager
async def google_genai() -> AsyncIterator[Asker]:
    """google-genai on httpx2, which it takes where aiohttp is not installed."""
    async with import_module("httpx2").AsyncClient() as transport, _gemini(httpx_async_client=transport) as asker:
        yield asker


@asynccontextmanager
async def google_genai_aiohttp() -> AsyncIterator[Asker]:
    """google-genai on aiohttp, which it prefers where it is installed; its timeout is then one for the whole answer."""
    async with _gemini() as asker:
        yield asker


@asynccontextmanager
async def _gemini(**options: object) -> AsyncIterator[Asker]:
    genai = import_module("google.genai")
    common = genai.types.HttpOptions(timeout=int(TIMEOUT_S * 1000), **options)
    async with genai.Client(api_key="k", http_options=common).aio as client:

        def asker(url: str) -> Ask:
            async def ask(seen: Seen) -> None:
                stream = client.models.generate_content_stream
                async for chunk in await stream(model="m", contents="hi", config={"http_options": {"base_url": url}}):
                    for candidate in chunk.candidates or ():
                        parts = candidate.content.parts if candidate.content else None
                        seen.text += "".join(part.text or "" for part in parts or ())
                        seen.finish = candidate.finish_reason.name if candidate.finish_reason else seen.finish

            return ask

        yield asker


@asynccontextmanager
async def ollama_chat() -> AsyncIterator[Asker]:
    """ollama; a client for each server, because it is bound to one."""
    ollama = import_module("ollama")

    def asker(url: str) -> Ask:
        async def ask(seen: Seen) -> None:
            client = ollama.AsyncClient(host=url, timeout=TIMEOUT_S, verify=False)
            try:
                async for part in await client.chat(model="m", messages=QUESTION, stream=True):
                    seen.text += part.message.content or ""
                    seen.finish = part.done_reason or seen.finish
            finally:
                await client._client.aclose()

        return ask

    yield asker
