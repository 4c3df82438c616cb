"""Careful applications of real clients, in which `chaosproxy search` looks for what breaks them.

Each is a target as its user would write it: one client for all calls, a timeout, the client's own retries, and the text
of one streamed answer. The modules are imported by name, because LiteLLM lives in an environment of its own.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from chaosproxy.search.observation import Asked, Call

TIMEOUT_S = 10


def _question(asked: Asked) -> list[dict[str, str]]:
    return [{"role": "user", "content": asked.prompt}]


@asynccontextmanager
async def openai_chat(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """openai, chat completions."""
    openai = import_module("openai")
    async with openai.AsyncOpenAI(base_url=f"{urls['primary']}/v1", api_key="none", timeout=TIMEOUT_S) as client:

        async def call(asked: Asked) -> str:
            create = client.chat.completions.create
            async with await create(model=asked.model, messages=_question(asked), stream=True) as stream:
                texts = [choice.delta.content or "" async for chunk in stream for choice in chunk.choices or ()]
            return "".join(texts)

        yield call


class Failed(Exception):
    """The answer says itself that it has failed."""


async def _response_text(events: Any) -> str:
    """The text of a stream of the Responses API, whose errors are ordinary events."""
    text = ""
    async for event in events:
        kind = getattr(event, "type", None)
        if kind == "response.output_text.delta":
            text += event.delta
        elif kind in {"error", "response.failed", "response.incomplete"}:
            raise Failed(kind)
    return text


@asynccontextmanager
async def openai_responses(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """openai, responses."""
    openai = import_module("openai")
    async with openai.AsyncOpenAI(base_url=f"{urls['primary']}/v1", api_key="none", timeout=TIMEOUT_S) as client:

        async def call(asked: Asked) -> str:
            async with await client.responses.create(model=asked.model, input=asked.prompt, stream=True) as stream:
                return await _response_text(stream)

        yield call


@asynccontextmanager
async def anthropic_messages(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """anthropic, the plain iterator over events."""
    anthropic = import_module("anthropic")
    async with anthropic.AsyncAnthropic(base_url=urls["primary"], api_key="none", timeout=TIMEOUT_S) as client:

        async def call(asked: Asked) -> str:
            text, create = "", client.messages.create
            async with await create(model=asked.model, max_tokens=64, messages=_question(asked), stream=True) as events:
                async for event in events:
                    if event.type == "content_block_delta":
                        text += getattr(event.delta, "text", "")
            return text

        yield call


@asynccontextmanager
async def google_genai(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """google-genai on httpx2, which it takes where aiohttp is not installed."""
    genai = import_module("google.genai")
    async with import_module("httpx2").AsyncClient() as transport:
        options = genai.types.HttpOptions(
            base_url=urls["primary"], timeout=TIMEOUT_S * 1000, httpx_async_client=transport
        )
        async with genai.Client(api_key="none", http_options=options).aio as client:

            async def call(asked: Asked) -> str:
                stream = await client.models.generate_content_stream(model=asked.model, contents=asked.prompt)
                return "".join([chunk.text or "" async for chunk in stream])

            yield call


@asynccontextmanager
async def ollama_chat(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """The chat of ollama."""
    client = import_module("ollama").AsyncClient(host=urls["primary"], timeout=TIMEOUT_S)

    async def call(asked: Asked) -> str:
        stream = await client.chat(model=asked.model, messages=_question(asked), stream=True)
        return "".join([part.message.content or "" async for part in stream])

    try:
        yield call
    finally:
        await client._client.aclose()  # it has no method for it


@asynccontextmanager
async def litellm_router(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """LiteLLM's Router with a fallback, by `aresponses`; no cooldown, so that a call leaves nothing for the next."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch prices
    litellm: Any = import_module("litellm")
    litellm.telemetry, litellm.suppress_debug_info = False, True
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": "openai/m", "api_base": f"{url}/v1", "api_key": "none", "timeout": TIMEOUT_S},
        }
        for name, url in urls.items()
    ]
    first, *others = urls
    router = litellm.Router(model_list=models, fallbacks=[{first: others}], num_retries=0, disable_cooldowns=True)

    async def call(asked: Asked) -> str:
        return await _response_text(await router.aresponses(model=first, input=asked.prompt, stream=True))

    yield call
