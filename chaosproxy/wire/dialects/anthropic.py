"""Anthropic messages, as anthropic-sdk-python 2.11 reads them (types/raw_*_event.py).

Error words: docs.claude.com/en/api/errors and types/shared/error_type.py. A status that neither names (408, 422, 502,
503, 507) gets the nearest type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

from chaosproxy.events import OTHER, Headers, Kind, Meaning
from chaosproxy.wire.dialects.answers import Answer, Finish
from chaosproxy.wire.dialects.base import RateLimit, RequestFacts
from chaosproxy.wire.dialects.chunks import ANTHROPIC_DELTA
from chaosproxy.wire.dialects.requests import asks_stream, ends_with, prompt_text, text_field
from chaosproxy.wire.foreign_json import count, dump, fields, items, parse, rewritten, text, word
from chaosproxy.wire.sse import PAYLOAD, STREAM_TYPE, SseSplitter, only_object, read_event, write_event

FINISH_WORDS = {
    Finish.STOP: "end_turn",
    Finish.LENGTH: "max_tokens",
    Finish.TOOL: "tool_use",
    Finish.FILTER: "refusal",
}
_USUAL = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "The requested resource could not be found."),
    408: ("timeout_error", "Request timed out"),
    409: ("conflict_error", "The resource was changed by another request."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    422: ("invalid_request_error", "The request could not be processed."),
    429: ("rate_limit_error", "This request would exceed your rate limit. Please try again later."),
    500: ("api_error", "Internal server error"),
    502: ("api_error", "Bad gateway"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Request timed out"),
    507: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}
_MESSAGES = dict(reversed(_USUAL.values()))
_DELTA_KINDS = {
    "text_delta": (Kind.CONTENT, "text"),
    "thinking_delta": (Kind.CONTENT, "thinking"),
    "input_json_delta": (Kind.TOOL, "partial_json"),
}


class AnthropicMessages:
    """``POST .../v1/messages``. A thread's messages (OpenAI assistants) and ``count_tokens`` are something else."""

    name: ClassVar[str] = "anthropic.messages"
    stream_type: ClassVar[str] = STREAM_TYPE
    payload: ClassVar[re.Pattern[bytes]] = PAYLOAD
    finish_reason: ClassVar[re.Pattern[bytes]] = text_field("stop_reason")

    def claims(self, method: str, path: str) -> bool:
        """Under any prefix, such as a gateway's ``/anthropic``."""
        return ends_with(method, path, "/v1/messages")

    def request_path(self, model: str, *, stream: bool) -> str:
        """The same for every request."""
        del model, stream
        return "/v1/messages"

    def read_request(self, body: bytes, path: str) -> RequestFacts:
        """Usage always comes, so nobody asks for it."""
        del path
        request = fields(parse(body))
        return RequestFacts(
            model=word(request.get("model")),
            stream=asks_stream(request),
            prompt=prompt_text(request.get("messages"), request.get("system")),
            max_tokens=count(request.get("max_tokens")),
        )

    def read_event(self, frame: bytes) -> Meaning:
        """An event without a name means nothing here, as the official client drops it.

        ``message_start`` tells the prompt tokens but is not USAGE: that is the frame that tells the final counts.
        """
        event = read_event(frame)
        if event.keeps_alive:
            return Meaning(Kind.KEEPALIVE)
        if event.name == "error":
            return Meaning(Kind.ERROR)
        payload = fields(parse(event.data or ""))
        if event.name is None or payload.get("type") != event.name:
            return OTHER
        match event.name:
            case "message_start":
                usage = fields(fields(payload.get("message")).get("usage"))
                return Meaning(Kind.OPENING, prompt_tokens=count(usage.get("input_tokens")))
            case "content_block_delta":
                return _delta_meaning(fields(payload.get("delta")))
            case "message_delta":
                return _end_meaning(Kind.OTHER, "", fields(payload.get("delta")), fields(payload.get("usage")))
            case "message_stop":
                return Meaning(Kind.TERMINAL)
        return OTHER

    def content_delta(self, frame: bytes) -> str | None:
        """Text or thinking."""
        if (payload := only_object(frame, b"event: content_block_delta\ndata: {")) is None:
            return None
        try:
            event = ANTHROPIC_DELTA.decode(payload)
        except (ValueError, RecursionError):
            return None
        return (event.delta.text if event.delta.type == "text_delta" else event.delta.thinking) or None

    def read_answer(self, body: bytes) -> Meaning:
        """``text`` holds text, thinking and tool arguments in the order of their blocks."""
        payload = fields(parse(body))
        if payload.get("type") == "error":
            return Meaning(Kind.ERROR)
        kind = Kind.OTHER
        texts: list[str] = []
        for block in map(fields, items(payload.get("content"))):
            content = text(block.get("text")) + text(block.get("thinking"))
            arguments = rewritten(block["input"]) if fields(block.get("input")) else ""
            if content:
                kind |= Kind.CONTENT
            if arguments:
                kind |= Kind.TOOL
            texts += content, arguments
        return _end_meaning(kind, "".join(texts), payload, fields(payload.get("usage")))

    def splitter(self) -> SseSplitter:
        """Server-sent events."""
        return SseSplitter()

    def error(
        self,
        status: int,
        *,
        error_type: str | None,
        code: str | None,
        message: str | None,
        retry_s: float | None = None,
    ) -> tuple[Headers, bytes]:
        """The body has no place for a ``code`` or a time to come back."""
        del code, retry_s
        return (("content-type", "application/json"),), dump(_error_body(status, error_type, message)).encode()

    def error_event(
        self, error_type: str | None, message: str | None, *, frame: bytes = b"", follows: bool = True
    ) -> bytes:
        """Overloaded by default: what a 529 becomes once the stream has begun."""
        del frame, follows
        return write_event(dump(_error_body(529, error_type, message)), "error")

    def limit_headers(self, limit: RateLimit) -> Headers:
        """Resets are moments, so they are left out when the wall time is not known."""
        quotas = (
            ("requests", limit.requests, limit.remaining_requests),
            ("tokens", limit.tokens, limit.remaining_tokens),
        )
        headers: list[tuple[str, str]] = []
        for name, quota, remaining in quotas:
            prefix = f"anthropic-ratelimit-{name}"
            headers += [(f"{prefix}-limit", str(quota)), (f"{prefix}-remaining", str(remaining))]
            if limit.now_unix_s is not None:
                headers.append((f"{prefix}-reset", _rfc3339(limit.now_unix_s + limit.reset_s)))
        return tuple(headers)

    def stream_frames(self, answer: Answer) -> list[bytes]:
        """Start, one block for the text, one for the tool, the counts, stop; a ping follows the first block's start."""
        return [write_event(dump(event), event["type"]) for event in _events(answer)]

    def plain_body(self, answer: Answer) -> bytes:
        """A ``message`` object. Tool arguments are an object here, an empty one if their text is not."""
        content: list[dict[str, Any]] = []
        if answer.text:
            content.append({"type": "text", "text": answer.text})
        if answer.tool is not None:
            content.append({**_tool_block(answer, answer.tool.name), "input": fields(parse(answer.tool.arguments))})
        message = _message(answer)
        message |= {"content": content, "stop_reason": FINISH_WORDS[answer.finish]}
        message["usage"] = {"input_tokens": answer.prompt_tokens, "output_tokens": answer.output_tokens}
        return dump(message).encode()


def _rfc3339(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _error_body(status: int, error_type: str | None, message: str | None) -> dict[str, Any]:
    usual_type, usual_message = _USUAL.get(status, _USUAL[500] if status >= 500 else _USUAL[422])
    if error_type is not None:
        usual_message = _MESSAGES.get(error_type, usual_message)
    return {"type": "error", "error": {"type": error_type or usual_type, "message": message or usual_message}}


# reading ------------------------------------------------------------------------------------------------------------


def _delta_meaning(delta: dict[str, Any]) -> Meaning:
    kind, key = _DELTA_KINDS.get(text(delta.get("type")), (Kind.OTHER, ""))
    content = text(delta.get(key))
    return Meaning(kind, content) if content else OTHER


def _end_meaning(kind: int, content: str, ending: dict[str, Any], usage: dict[str, Any]) -> Meaning:
    finish = word(ending.get("stop_reason"))
    if finish:
        kind |= Kind.FINISH
    if usage:
        kind |= Kind.USAGE
    return Meaning(kind, content, finish, count(usage.get("input_tokens")), count(usage.get("output_tokens")))


# writing ------------------------------------------------------------------------------------------------------------


def _message(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": answer.prompt_tokens, "output_tokens": 1},
    }


def _tool_block(answer: Answer, name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{answer.id}", "name": name, "input": {}}


def _events(answer: Answer) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _message(answer)}
    index = 0
    if answer.text_pieces:
        deltas = [{"type": "text_delta", "text": piece} for piece in answer.text_pieces]
        yield from _block(index, {"type": "text", "text": ""}, deltas)
        index += 1
    if answer.tool is not None:
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in answer.tool.arguments_pieces]
        yield from _block(index, _tool_block(answer, answer.tool.name), deltas)
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": FINISH_WORDS[answer.finish], "stop_sequence": None},
        "usage": {"output_tokens": answer.output_tokens},
    }
    yield {"type": "message_stop"}


def _block(index: int, block: dict[str, Any], deltas: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    yield {"type": "content_block_start", "index": index, "content_block": block}
    if index == 0:
        yield {"type": "ping"}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


ANTHROPIC_MESSAGES = AnthropicMessages()
