"""OpenAI chat completions, as openai-python 3.52 reads them (types/chat) and as compatible servers vary them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from chaosproxy.events import Kind, Meaning
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import RequestFacts
from chaosproxy.wire.dialects.chunks import OPENAI_CHUNK
from chaosproxy.wire.dialects.openai_errors import OpenAIErrors, error_body
from chaosproxy.wire.dialects.requests import asks_stream, ends_with, prompt_text, text_field
from chaosproxy.wire.foreign_json import count, dump, fields, items, parse, text, word
from chaosproxy.wire.sse import PAYLOAD, STREAM_TYPE, SseSplitter, only_object, read_event, write_event

FINISH_WORDS = {
    Finish.STOP: "stop",
    Finish.LENGTH: "length",
    Finish.TOOL: "tool_calls",
    Finish.FILTER: "content_filter",
}
DONE = write_event("[DONE]")


class OpenAIChat(OpenAIErrors):
    """``POST .../chat/completions``. All its errors are JSON; an HTML page from the edge is another fault."""

    name: ClassVar[str] = "openai.chat"
    stream_type: ClassVar[str] = STREAM_TYPE
    payload: ClassVar[re.Pattern[bytes]] = PAYLOAD
    finish_reason: ClassVar[re.Pattern[bytes]] = text_field("finish_reason")

    def claims(self, method: str, path: str) -> bool:
        """Also under ``/openai/deployments/NAME`` (Azure) or a gateway's prefix."""
        return ends_with(method, path, "/chat/completions")

    def request_path(self, model: str, *, stream: bool) -> str:
        """The same for every request."""
        del model, stream
        return "/v1/chat/completions"

    def read_request(self, body: bytes, path: str) -> RequestFacts:
        """``max_completion_tokens`` goes before the older ``max_tokens``."""
        del path
        request = fields(parse(body))
        max_tokens = count(request.get("max_completion_tokens"))
        return RequestFacts(
            model=word(request.get("model")),
            stream=asks_stream(request),
            prompt=prompt_text(request.get("messages")),
            max_tokens=max_tokens if max_tokens is not None else count(request.get("max_tokens")),
            asks_usage=fields(request.get("stream_options")).get("include_usage") is True,
        )

    def read_event(self, frame: bytes) -> Meaning:
        """A frame is a TOKEN exactly when it has text, so the chunk that only names a tool is OTHER.

        A chunk with a role is OPENING when it carries no text and no end: some servers repeat the role in every chunk.
        """
        event = read_event(frame)
        if event.keeps_alive:
            return Meaning(Kind.KEEPALIVE)
        data = event.data or ""
        if data.startswith("[DONE]"):
            return Meaning(Kind.TERMINAL)
        chunk = fields(parse(data))
        meaning = _meaning(chunk, "delta")
        if meaning.text or meaning.finish or meaning.kind == Kind.ERROR:
            return meaning
        opens = any(fields(choice.get("delta")).get("role") for choice in _choices(chunk))
        return replace(meaning, kind=meaning.kind | Kind.OPENING) if opens else meaning

    def content_delta(self, frame: bytes) -> str | None:
        """One choice with ``content`` and nothing else that tells anything."""
        if (payload := only_object(frame, b"data: {")) is None:
            return None
        try:
            chunk = OPENAI_CHUNK.decode(payload)
        except (ValueError, RecursionError):
            return None
        if len(chunk.choices) != 1 or chunk.usage or chunk.error:
            return None
        choice = chunk.choices[0]
        delta = choice.delta
        more = delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls or delta.function_call
        return delta.content or None if not (more or choice.finish_reason) else None

    def read_answer(self, body: bytes) -> Meaning:
        """``text`` ends with the tool arguments."""
        return _meaning(fields(parse(body)), "message")

    def splitter(self) -> SseSplitter:
        """Server-sent events."""
        return SseSplitter()

    def error_event(
        self, error_type: str | None, message: str | None, *, frame: bytes = b"", follows: bool = True
    ) -> bytes:
        """An unnamed event; the official client raises APIError."""
        del frame, follows
        return write_event(dump(error_body(500, error_type, None, message)))

    def stream_frames(self, answer: Answer) -> list[bytes]:
        """Role chunk, content, tool call, finish, usage if asked for, ``[DONE]``."""
        return [write_event(dump(chunk)) for chunk in _chunks(answer)] + [DONE]

    def plain_body(self, answer: Answer) -> bytes:
        """A ``chat.completion`` object."""
        message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
        if answer.tool is not None:
            message["content"] = answer.text or None
            message["tool_calls"] = [_tool(answer, answer.tool, answer.tool.arguments)]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH_WORDS[answer.finish]}
        return dump({**_frame(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer)}).encode()


# reading ------------------------------------------------------------------------------------------------------------


def _choices(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return [fields(choice) for choice in items(payload.get("choices"))]


def _meaning(payload: dict[str, Any], part: str) -> Meaning:
    """A chunk (``part`` is delta) and a plain answer (message) have the same shape."""
    if payload.get("error"):
        return Meaning(Kind.ERROR)
    kind = Kind.OTHER
    texts: list[str] = []
    finish = None
    for choice in _choices(payload):
        said = fields(choice.get(part))
        content, arguments = _content(said), _arguments(said)
        finish = word(choice.get("finish_reason")) or finish
        if content:
            kind |= Kind.CONTENT
        if arguments:
            kind |= Kind.TOOL
        texts += content, arguments
    usage = fields(payload.get("usage"))
    if finish:
        kind |= Kind.FINISH
    if usage:
        kind |= Kind.USAGE
    prompt_tokens, output_tokens = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    return Meaning(kind, "".join(texts), finish, prompt_tokens, output_tokens)


def _content(part: dict[str, Any]) -> str:
    """Reasoning has two spellings; servers that send both repeat the same text."""
    reasoning = text(part.get("reasoning_content")) or text(part.get("reasoning"))
    return reasoning + text(part.get("content")) + text(part.get("refusal"))


def _arguments(part: dict[str, Any]) -> str:
    functions = [part.get("function_call"), *(fields(tool).get("function") for tool in items(part.get("tool_calls")))]
    return "".join(text(fields(function).get("arguments")) for function in functions)


# writing ------------------------------------------------------------------------------------------------------------


def _frame(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": answer.created,
        "model": answer.model,
        "system_fingerprint": None,
    }


def _chunks(answer: Answer) -> Iterator[dict[str, Any]]:
    frame = _frame(answer, "chat.completion.chunk")
    no_usage = {"usage": None} if answer.include_usage else {}
    for delta in _deltas(answer):
        yield {**frame, "choices": [_delta(delta, None)], **no_usage}
    yield {**frame, "choices": [_delta({}, FINISH_WORDS[answer.finish])], **no_usage}
    if answer.include_usage:
        yield {**frame, "choices": [], "usage": _usage(answer)}


def _delta(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": "", "refusal": None}
    for piece in answer.text_pieces:
        yield {"content": piece}
    if answer.tool is not None:
        yield {"tool_calls": [{"index": 0, **_tool(answer, answer.tool, "")}]}
        for piece in answer.tool.arguments_pieces:
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _tool(answer: Answer, tool: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{answer.id}", "type": "function", "function": {"name": tool.name, "arguments": arguments}}


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.prompt_tokens + answer.output_tokens,
    }


OPENAI_CHAT = OpenAIChat()
