"""The official SDKs against the lab's backend: what it says must be native to them."""

from __future__ import annotations

import json

import pytest

from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.lab.backend import Backend
from chaosproxy.lab.text import expected_answer

anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")
pytestmark = pytest.mark.real

QUICK = BackendSettings.model_validate({"tokens": 20, "ttft": 0.0, "inter_token": 0.0, "should_fail": {"bad": 529}})
TEXT = "".join(expected_answer("hi", 20))
ASK = {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}}


async def test_openai_reads_text_usage_and_tools() -> None:
    """Streamed, plain and a tool call."""
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}}]
    async with Backend(QUICK) as backend, openai.AsyncOpenAI(base_url=f"{backend.url}/v1", api_key="x") as client:
        stream = await client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        plain = await client.chat.completions.create(**ASK)
        call = await client.chat.completions.create(**ASK, tools=tools, tool_choice="required")

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert chunks[-1].usage.completion_tokens == 20
    assert (plain.choices[0].message.content, plain.choices[0].finish_reason) == (TEXT, "stop")
    assert json.loads(call.choices[0].message.tool_calls[0].function.arguments)["query"] in TEXT


async def test_anthropic_reads_text_usage_and_tools() -> None:
    """The helper that checks the order of events accumulates the whole message."""
    tools = [{"name": "look_up", "input_schema": SCHEMA}]
    async with Backend(QUICK) as backend, anthropic.AsyncAnthropic(base_url=backend.url, api_key="x") as client:
        async with client.messages.stream(**ASK) as stream:
            message = await stream.get_final_message()
        plain = await client.messages.create(**ASK)
        async with client.messages.stream(**ASK, tools=tools, tool_choice={"type": "any"}) as stream:
            call = await stream.get_final_message()

    assert (message.content[0].text, message.stop_reason, message.usage.output_tokens) == (TEXT, "end_turn", 20)
    assert plain.content[0].text == TEXT
    assert (call.stop_reason, call.content[0].input["query"] in TEXT) == ("tool_use", True)


async def test_failures_have_the_sdks_own_exceptions() -> None:
    """A native status and body become the exception that users catch."""
    async with Backend(QUICK) as backend:
        async with openai.AsyncOpenAI(base_url=f"{backend.url}/v1", api_key="x", max_retries=0) as client:
            with pytest.raises(openai.InternalServerError):
                await client.chat.completions.create(**{**ASK, "model": "bad"})
            with pytest.raises(openai.BadRequestError):
                await client.chat.completions.create(model="m", messages=[])
        async with anthropic.AsyncAnthropic(base_url=backend.url, api_key="x", max_retries=0) as client:
            with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
                await client.messages.create(**{**ASK, "model": "bad"})
