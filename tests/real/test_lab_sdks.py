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


async def test_openai_reads_responses() -> None:
    """The helper that checks the order of events accumulates the whole response."""
    ask = {"model": "m", "input": "hi", "max_output_tokens": 64}
    tools = [{"type": "function", "name": "look_up", "parameters": SCHEMA, "strict": False}]
    async with Backend(QUICK) as backend, openai.AsyncOpenAI(base_url=f"{backend.url}/v1", api_key="x") as client:
        async with client.responses.stream(**ask) as stream:
            streamed = await stream.get_final_response()
        plain = await client.responses.create(**ask)
        cut = await client.responses.create(**{**ask, "max_output_tokens": 5})
        async with client.responses.stream(**ask, tools=tools, tool_choice="required") as stream:
            call = await stream.get_final_response()

    assert (streamed.output_text, streamed.status, streamed.usage.output_tokens) == (TEXT, "completed", 20)
    assert (plain.output_text, plain.id) == (TEXT, streamed.id)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert json.loads(call.output[0].arguments)["query"] in TEXT


async def test_azure_paths_are_known() -> None:
    """Azure has the same dialects under paths of its own."""
    async with Backend(QUICK) as backend:
        azure = openai.AsyncAzureOpenAI(azure_endpoint=backend.url, api_key="x", api_version="2024-10-21")
        async with azure as client:
            chat = await client.chat.completions.create(**ASK)
        async with openai.AsyncOpenAI(base_url=f"{backend.url}/openai/v1/", api_key="x") as client:
            response = await client.responses.create(model="m", input="hi")

    assert (chat.choices[0].message.content, response.output_text) == (TEXT, TEXT)


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")  # its own class
async def test_gemini_reads_text_usage_and_tools() -> None:
    """Streamed, plain, a tool call and errors, through the official client."""
    genai = pytest.importorskip("google.genai")
    types = genai.types
    forced = {"function_calling_config": {"mode": "ANY"}}
    tools = [{"function_declarations": [{"name": "look_up", "parameters_json_schema": SCHEMA}]}]
    ask = {"model": "m", "contents": "hi"}
    async with Backend(QUICK) as backend:
        options = types.HttpOptions(base_url=backend.url)
        async with genai.Client(api_key="x", http_options=options).aio as client:
            chunks = [chunk async for chunk in await client.models.generate_content_stream(**ask)]
            plain = await client.models.generate_content(**ask)
            cut = await client.models.generate_content(**ask, config={"max_output_tokens": 5})
            call = await client.models.generate_content(**ask, config={"tools": tools, "tool_config": forced})
            with pytest.raises(genai.errors.ServerError, match="529 UNAVAILABLE"):
                await client.models.generate_content(**{**ask, "model": "bad"})

    assert "".join(chunk.text or "" for chunk in chunks) == plain.text == TEXT
    assert (chunks[-1].usage_metadata.candidates_token_count, plain.candidates[0].finish_reason.name) == (20, "STOP")
    assert cut.candidates[0].finish_reason.name == "MAX_TOKENS"
    assert call.function_calls[0].args["query"] in TEXT


async def test_ollama_reads_text_counts_and_tools() -> None:
    """Both endpoints, streamed and plain, a tool call and an error, through the official client."""
    ollama = pytest.importorskip("ollama")
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}}]
    ask = {"model": "m", "messages": ASK["messages"]}
    called = {"model": "m", "messages": [{"role": "user", "content": "look_up hi"}], "tools": tools}
    async with Backend(QUICK) as backend:
        client = ollama.AsyncClient(host=backend.url)
        lines = [line async for line in await client.chat(**ask, stream=True)]
        plain = await client.chat(**ask)
        pieces = [piece async for piece in await client.generate(model="m", prompt="hi", stream=True)]
        whole = await client.generate(model="m", prompt="hi", options={"num_predict": 5})
        call = await client.chat(**called)
        with pytest.raises(ollama.ResponseError, match="529"):
            await client.chat(**{**ask, "model": "bad"})
        await client._client.aclose()

    assert "".join(line.message.content or "" for line in lines) == plain.message.content == TEXT
    assert (lines[-1].done_reason, lines[-1].eval_count, plain.prompt_eval_count) == ("stop", 20, 1)
    assert ("".join(piece.response for piece in pieces), whole.done_reason) == (TEXT, "length")
    assert call.message.tool_calls[0].function.arguments["query"]


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
