"""The content events that make up most of a stream, as far as they tell anything: what is not named is skipped."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.json import Decoder


class _OpenAIDelta(Struct, gc=False):
    content: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None


class _OpenAIChoice(Struct, gc=False):
    delta: _OpenAIDelta
    finish_reason: Any = None


class _OpenAIChunk(Struct, gc=False):
    """An ordinary chunk, as far as it tells anything."""

    choices: list[_OpenAIChoice]
    usage: Any = None
    error: Any = None


OPENAI_CHUNK = Decoder(_OpenAIChunk)


class _AnthropicDelta(Struct, gc=False):
    type: Literal["text_delta", "thinking_delta"]
    text: str | None = None
    thinking: str | None = None


class _ContentBlockDelta(Struct, gc=False):
    type: Literal["content_block_delta"]
    delta: _AnthropicDelta


ANTHROPIC_DELTA = Decoder(_ContentBlockDelta)


class _ResponsesDelta(Struct, gc=False):
    type: Literal["response.output_text.delta"]
    delta: str


RESPONSES_DELTA = Decoder(_ResponsesDelta)


class _GeminiPart(Struct, gc=False, rename="camel"):
    text: str
    function_call: Any = None


class _GeminiContent(Struct, gc=False):
    parts: list[_GeminiPart]


class _GeminiCandidate(Struct, gc=False, rename="camel"):
    content: _GeminiContent
    finish_reason: Any = None


class _GeminiChunk(Struct, gc=False, rename="camel"):
    candidates: list[_GeminiCandidate]
    prompt_feedback: Any = None
    error: Any = None


GEMINI_CHUNK = Decoder(_GeminiChunk)


class _OllamaMessage(Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: Any = None


class _OllamaLine(Struct, gc=False):
    done: bool
    message: _OllamaMessage | None = None
    response: str | None = None
    thinking: str | None = None
    error: Any = None


OLLAMA_LINE = Decoder(_OllamaLine)
