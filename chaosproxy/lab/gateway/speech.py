"""What a gateway must be able to say in a dialect itself: requests that it changes, streams that it makes of plain
answers, and the end that a bad gateway invents. ``wire.dialects`` reads; nothing here knows a socket.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from chaosproxy.events import Kind
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.openai_chat import DONE
from chaosproxy.wire.foreign_json import dump
from chaosproxy.wire.sse import write_event


class Speech(Protocol):
    """One dialect's words."""

    usage_on_request: bool
    """Whether a stream carries an event of its own for the usage, and only if the client asks for it."""

    def ask_stream(self, body: bytes) -> bytes:
        """The request for a streamed answer that reports its usage."""

    def ask_plain(self, body: bytes) -> bytes:
        """The same request for a plain answer."""

    def as_stream(self, answer: bytes, *, with_usage: bool) -> bytes:
        """A whole plain answer as the events of a stream, terminal event included."""


class OpenAIChat:
    """Chat completions: ``data:`` lines only, usage on request, ``[DONE]`` at the end."""

    usage_on_request = True

    def ask_stream(self, body: bytes) -> bytes:
        request = json.loads(body)
        options = request.get("stream_options") or {}
        return _body({**request, "stream_options": {**options, "include_usage": True}})

    def ask_plain(self, body: bytes) -> bytes:
        request = json.loads(body)
        request.pop("stream_options", None)
        return _body({**request, "stream": False})

    def as_stream(self, answer: bytes, *, with_usage: bool) -> bytes:
        whole = json.loads(answer)
        common = {key: whole[key] for key in ("id", "created", "model", "system_fingerprint") if key in whole}
        common["object"] = "chat.completion.chunk"
        chunks = [
            {**common, "choices": [{"index": choice["index"], "delta": delta, "finish_reason": finish}]}
            for choice in whole["choices"]
            for delta, finish in self._deltas(choice)
        ]
        if with_usage:
            chunks.append({**common, "choices": [], "usage": whole.get("usage")})
        return b"".join(write_event(dump(chunk)) for chunk in chunks) + DONE

    def _deltas(self, choice: Mapping[str, Any]) -> Iterable[tuple[dict[str, Any], str | None]]:
        message = choice["message"]
        yield {"role": "assistant", "content": ""}, None
        if message.get("content"):
            yield {"content": message["content"]}, None
        if calls := message.get("tool_calls"):
            yield {"tool_calls": [{"index": index, **call} for index, call in enumerate(calls)]}, None
        yield {}, choice["finish_reason"]


class AnthropicMessages:
    """Messages: named events, usage always, ``message_stop`` at the end."""

    usage_on_request = False

    def ask_stream(self, body: bytes) -> bytes:
        return body

    def ask_plain(self, body: bytes) -> bytes:
        return _body({**json.loads(body), "stream": False})

    def as_stream(self, answer: bytes, *, with_usage: bool) -> bytes:
        """The usage always comes."""
        del with_usage
        whole = json.loads(answer)
        usage = whole.get("usage", {})
        begin = {**whole, "content": [], "stop_reason": None, "stop_sequence": None}
        end = {"stop_reason": whole["stop_reason"], "stop_sequence": whole.get("stop_sequence")}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**begin, "usage": {**usage, "output_tokens": 0}}},
            *(event for index, block in enumerate(whole["content"]) for event in self._block(index, block)),
            {"type": "message_delta", "delta": end, "usage": {"output_tokens": usage.get("output_tokens", 0)}},
            {"type": "message_stop"},
        ]
        return b"".join(write_event(dump(event), event["type"]) for event in events)

    def _block(self, index: int, block: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
        empty: dict[str, Any] = {}
        deltas: list[dict[str, Any]] = []
        match block["type"]:
            case "text":
                empty, deltas = {"text": ""}, [{"type": "text_delta", "text": block["text"]}]
            case "tool_use":
                empty, deltas = {"input": {}}, [{"type": "input_json_delta", "partial_json": dump(block["input"])}]
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}


class OpenAIResponses:
    """Responses: named events, usage always, the whole response once more at the end."""

    usage_on_request = False

    def ask_stream(self, body: bytes) -> bytes:
        return body

    def ask_plain(self, body: bytes) -> bytes:
        return _body({**json.loads(body), "stream": False})

    def as_stream(self, answer: bytes, *, with_usage: bool) -> bytes:
        """The usage always comes."""
        del with_usage
        whole = json.loads(answer)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": begun},
            *(event for index, item in enumerate(whole["output"]) for event in self._item(index, item)),
            {"type": f"response.{whole['status']}", "response": whole},
        ]
        numbered = [{"sequence_number": number, **event} for number, event in enumerate(events)]
        return b"".join(write_event(dump(event), event["type"]) for event in numbered)

    def _item(self, index: int, item: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
        place = {"item_id": item["id"], "output_index": index}
        empty: dict[str, Any] = {"content": []} if "content" in item else {"arguments": ""}
        yield {"type": "response.output_item.added", "output_index": index, "item": {**item, **empty}}
        for number, part in enumerate(item.get("content", ())):
            where = {**place, "content_index": number}
            yield {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}
            yield {"type": "response.output_text.delta", **where, "delta": part["text"], "logprobs": []}
            yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
            yield {"type": "response.content_part.done", **where, "part": part}
        if arguments := item.get("arguments"):
            yield {"type": "response.function_call_arguments.delta", **place, "delta": arguments}
            yield {"type": "response.function_call_arguments.done", **place, "arguments": arguments}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _body(request: Mapping[str, Any]) -> bytes:
    return dump(request).encode()


def invented_end(dialect: Dialect, model: str) -> bytes:
    """Events that pass a broken-off stream for a finished one; only the naive gateway and a mutant say them.

    They are the one with the finish reason and the terminal one, which in Responses are the same.
    """
    frames = dialect.stream_frames(Answer(id="0", model=model, created=0))
    return b"".join(frame for frame in frames if dialect.read_event(frame).kind & (Kind.FINISH | Kind.TERMINAL))
