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
