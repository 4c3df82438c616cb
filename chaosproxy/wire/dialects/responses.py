"""OpenAI responses, as openai-python 3.52 reads them (types/responses/response_*_event.py).

Each event says its type twice, as ``event:`` and in its data; the official client reads the data, and so do we.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from chaosproxy.events import OTHER, Kind, Meaning
from chaosproxy.wire.dialects.answers import Answer, Finish
from chaosproxy.wire.dialects.base import RequestFacts
from chaosproxy.wire.dialects.chunks import RESPONSES_DELTA
from chaosproxy.wire.dialects.openai_errors import OpenAIErrors, error_body
from chaosproxy.wire.dialects.requests import asks_stream, ends_with, prompt_text
from chaosproxy.wire.foreign_json import count, dump, fields, items, parse, text, word
from chaosproxy.wire.sse import PAYLOAD, STREAM_TYPE, SseSplitter, only_object, read_event, write_event

_INCOMPLETE = {Finish.LENGTH: "max_output_tokens", Finish.FILTER: "content_filter"}
_DELTA_KINDS = {
    "response.output_text.delta": Kind.CONTENT,
    "response.refusal.delta": Kind.CONTENT,
    "response.reasoning_text.delta": Kind.CONTENT,
    "response.reasoning_summary_text.delta": Kind.CONTENT,
    "response.function_call_arguments.delta": Kind.TOOL,
    "response.custom_tool_call_input.delta": Kind.TOOL,
}
_STATUS = re.compile(rb'\A(.*?"status"\s*:\s*)"(?:[^"\\]|\\.)*"', re.DOTALL)
"""Of the response, which comes before those of its items."""
_TEXT_DELTA = b"event: response.output_text.delta\ndata: {"


class OpenAIResponses(OpenAIErrors):
    """``POST .../responses``. A stored response (``.../responses/ID``) is something else.

    The last event tells everything once more: the end, the counts, the whole answer. Its finish reason is its status,
    or for an incomplete answer the reason of that.
    """

    name: ClassVar[str] = "openai.responses"
    stream_type: ClassVar[str] = STREAM_TYPE
    payload: ClassVar[re.Pattern[bytes]] = PAYLOAD
    finish_reason: ClassVar[re.Pattern[bytes]] = _STATUS

    def claims(self, method: str, path: str) -> bool:
        """Also under ``/openai/v1`` (Azure) or a gateway's prefix."""
        return ends_with(method, path, "/responses")

    def request_path(self, model: str, *, stream: bool) -> str:
        """The same for every request."""
        del model, stream
        return "/v1/responses"

    def read_request(self, body: bytes, path: str) -> RequestFacts:
        """``input`` is a text, or an array of messages and of results of tools. Usage always comes."""
        del path
        request = fields(parse(body))
        asked = request.get("input")
        if isinstance(asked, str):
            asked = [{"content": asked}]
        elif isinstance(asked, list):
            asked = [{"content": item.get("content", item.get("output"))} for item in map(fields, asked)]
        return RequestFacts(
            model=word(request.get("model")),
            stream=asks_stream(request),
            prompt=prompt_text(asked, request.get("instructions")),
            max_tokens=count(request.get("max_output_tokens")),
        )

    def read_event(self, frame: bytes) -> Meaning:
        """``response.failed`` ends the stream as an ``error`` does."""
        event = read_event(frame)
        if event.keeps_alive:
            return Meaning(Kind.KEEPALIVE)
        payload = fields(parse(event.data or ""))
        match payload.get("type"):
            case "response.created":
                return Meaning(Kind.OPENING)
            case "error" | "response.failed":
                return Meaning(Kind.ERROR)
            case "response.completed" | "response.incomplete":
                return _end_meaning(Kind.TERMINAL, "", fields(payload.get("response")))
            case kind if delta := text(payload.get("delta")):
                known = _DELTA_KINDS.get(text(kind))
                return OTHER if known is None else Meaning(known, delta)
        return Meaning(Kind.ERROR) if payload.get("error") else OTHER

    def content_delta(self, frame: bytes) -> str | None:
        """A delta of the text."""
        if (payload := only_object(frame, _TEXT_DELTA)) is None:
            return None
        try:
            return RESPONSES_DELTA.decode(payload).delta or None
        except (ValueError, RecursionError):
            return None

    def read_answer(self, body: bytes) -> Meaning:
        """``text`` holds texts, refusals and tool arguments in the order of their items."""
        payload = fields(parse(body))
        if payload.get("error") or payload.get("status") == "failed":
            return Meaning(Kind.ERROR)
        kind = Kind.OTHER
        texts: list[str] = []
        for item in map(fields, items(payload.get("output"))):
            parts = [*map(fields, items(item.get("summary"))), *map(fields, items(item.get("content")))]
            content = "".join(text(part.get("text")) + text(part.get("refusal")) for part in parts)
            arguments = text(item.get("arguments"))
            if content:
                kind |= Kind.CONTENT
            if arguments:
                kind |= Kind.TOOL
            texts += content, arguments
        return _end_meaning(kind, "".join(texts), payload)

    def splitter(self) -> SseSplitter:
        """Server-sent events."""
        return SseSplitter()

    def error_event(
        self, error_type: str | None, message: str | None, *, frame: bytes = b"", follows: bool = True
    ) -> bytes:
        """``event: error`` with the number that is next; the official client hands it on like any other event."""
        error = error_body(500, error_type, None, message)["error"]
        number = count(fields(parse(read_event(frame).data or "")).get("sequence_number"))
        event = {"type": "error", "code": error["code"] or error["type"], "message": error["message"], "param": None}
        event["sequence_number"] = 0 if number is None else number + follows
        return write_event(dump(event), "error")

    def stream_frames(self, answer: Answer) -> list[bytes]:
        """The response, each item with its parts and deltas, the whole response; all numbered."""
        return [
            write_event(dump({"type": event["type"], "sequence_number": number, **event}), event["type"])
            for number, event in enumerate(_events(answer))
        ]

    def plain_body(self, answer: Answer) -> bytes:
        """A ``response`` object."""
        return dump(_whole(answer)).encode()


def _end_meaning(kind: int, content: str, response: dict[str, Any]) -> Meaning:
    usage = fields(response.get("usage"))
    status = word(response.get("status"))
    finish = word(fields(response.get("incomplete_details")).get("reason")) if status == "incomplete" else None
    finish = finish or status
    if finish:
        kind |= Kind.FINISH
    if usage:
        kind |= Kind.USAGE
    prompt_tokens, output_tokens = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    return Meaning(kind, content, finish or None, prompt_tokens, output_tokens)


# writing ------------------------------------------------------------------------------------------------------------


def _response(answer: Answer, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": float(answer.created),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": answer.model,
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _whole(answer: Answer) -> dict[str, Any]:
    reason = _INCOMPLETE.get(answer.finish)
    usage = {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.prompt_tokens + answer.output_tokens,
    }
    output = []
    if answer.text:
        output.append(_message(answer, "completed"))
    if answer.tool is not None:
        output.append(_call(answer, answer.tool.arguments, "completed"))
    return {
        **_response(answer, "incomplete" if reason else "completed"),
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
        "usage": usage,
    }


def _message(answer: Answer, status: str) -> dict[str, Any]:
    content = [_part(answer.text)] if status == "completed" else []
    return {"id": f"msg_{answer.id}", "type": "message", "status": status, "role": "assistant", "content": content}


def _part(content: str) -> dict[str, Any]:
    return {"type": "output_text", "text": content, "annotations": [], "logprobs": []}


def _call(answer: Answer, arguments: str, status: str) -> dict[str, Any]:
    name = answer.tool.name if answer.tool else ""
    call = {"id": f"fc_{answer.id}", "type": "function_call", "status": status, "call_id": f"call_{answer.id}"}
    return {**call, "name": name, "arguments": arguments}


def _events(answer: Answer) -> Iterator[dict[str, Any]]:
    yield {"type": "response.created", "response": _response(answer, "in_progress")}
    yield {"type": "response.in_progress", "response": _response(answer, "in_progress")}
    if answer.text:
        yield from _text_events(answer)
    if answer.tool is not None:
        yield from _call_events(answer, int(bool(answer.text)))
    whole = _whole(answer)
    yield {"type": f"response.{whole['status']}", "response": whole}


def _text_events(answer: Answer) -> Iterator[dict[str, Any]]:
    yield {"type": "response.output_item.added", "output_index": 0, "item": _message(answer, "in_progress")}
    place = {"item_id": f"msg_{answer.id}", "output_index": 0, "content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": _part("")}
    for piece in answer.text_pieces:
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": answer.text, "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": _part(answer.text)}
    yield {"type": "response.output_item.done", "output_index": 0, "item": _message(answer, "completed")}


def _call_events(answer: Answer, index: int) -> Iterator[dict[str, Any]]:
    whole = _call(answer, answer.tool.arguments if answer.tool else "", "completed")
    yield {"type": "response.output_item.added", "output_index": index, "item": _call(answer, "", "in_progress")}
    place = {"item_id": whole["id"], "output_index": index}
    for piece in answer.tool.arguments_pieces if answer.tool else ():
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **place, "arguments": whole["arguments"]}
    yield {"type": "response.output_item.done", "output_index": index, "item": whole}


OPENAI_RESPONSES = OpenAIResponses()
