"""Gemini, as google-genai 3.4 reads it (types.GenerateContentResponse); ai.google.dev/api/generate-content.

The path tells the model and whether a stream is asked for; ``alt=sse`` in the query makes it server-sent events, and
without that it is a JSON array. Two dialects, because one answer is read in one way:

    gemini          data: {...}    data: {...}             :generateContent, :streamGenerateContent?alt=sse
    gemini.array    [{...}         ,{...}         ]        :streamGenerateContent
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from chaosproxy.events import Headers, Kind, Meaning
from chaosproxy.wire import Splitter
from chaosproxy.wire.dialects.answers import Answer, Finish
from chaosproxy.wire.dialects.base import RateLimit, RequestFacts
from chaosproxy.wire.dialects.chunks import GEMINI_CHUNK
from chaosproxy.wire.dialects.gemini_errors import error_body
from chaosproxy.wire.dialects.gemini_requests import Route, read_facts, route_of
from chaosproxy.wire.dialects.requests import text_field
from chaosproxy.wire.foreign_json import count, dump, fields, items, parse, rewritten, text, word
from chaosproxy.wire.json_array import PAYLOAD as ELEMENT
from chaosproxy.wire.json_array import ArraySplitter
from chaosproxy.wire.sse import PAYLOAD, STREAM_TYPE, SseSplitter, only_object, read_event, write_event

FINISH_WORDS = {
    Finish.STOP: "STOP",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.TOOL: "STOP",
    Finish.FILTER: "SAFETY",
}


class Gemini:
    """``POST .../models/NAME:generateContent`` and ``:streamGenerateContent?alt=sse``; Vertex AI has the same paths.

    Its streams have no event that only begins or only ends them: the chunk with the finish reason is TERMINAL, too,
    since nothing else marks the end.
    """

    name: ClassVar[str] = "gemini"
    stream_type: ClassVar[str] = STREAM_TYPE
    payload: ClassVar[re.Pattern[bytes]] = PAYLOAD
    finish_reason: ClassVar[re.Pattern[bytes]] = text_field("finishReason", "blockReason")

    def claims(self, method: str, path: str) -> bool:
        """Of the streamed ones those with ``alt=sse``."""
        route = route_of(path)
        return method.upper() == "POST" and route is not None and not (route.stream and not route.sse)

    def request_path(self, model: str, *, stream: bool) -> str:
        """The method of the API is part of the path."""
        return Route(model, stream=stream, sse=True).path

    def read_request(self, body: bytes, path: str) -> RequestFacts:
        """Usage always comes."""
        return read_facts(body, path)

    def read_event(self, frame: bytes) -> Meaning:
        """Counts come with every chunk; USAGE is the one that tells the final ones."""
        event = read_event(frame)
        if event.keeps_alive:
            return Meaning(Kind.KEEPALIVE)
        meaning = _meaning(fields(parse(event.data or "")))
        return replace(meaning, kind=meaning.kind | Kind.TERMINAL) if meaning.finish else meaning

    def content_delta(self, frame: bytes) -> str | None:
        """One candidate with one part, which is a text or a thought."""
        return _only_text(only_object(frame, b"data: {"))

    def read_answer(self, body: bytes) -> Meaning:
        """``text`` holds texts, thoughts and tool arguments in the order of their parts."""
        return _meaning(fields(parse(body)))

    def splitter(self) -> Splitter:
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
        """The type is its ``status``; the ``code`` is the number of the HTTP status, whatever is asked for."""
        del code
        return (("content-type", "application/json"),), dump(error_body(status, error_type, message, retry_s)).encode()

    def error_event(
        self, error_type: str | None, message: str | None, *, frame: bytes = b"", follows: bool = True
    ) -> bytes:
        """The body of an error as one more chunk; unavailable by default."""
        del frame, follows
        return write_event(dump(error_body(503, error_type, message)))

    def limit_headers(self, limit: RateLimit) -> Headers:
        """None: what is known of the limits stands in the body."""
        del limit
        return ()

    def stream_frames(self, answer: Answer) -> list[bytes]:
        """A chunk for each piece, one for the tool, one that ends."""
        return [write_event(dump(chunk)) for chunk in _chunks(answer)]

    def plain_body(self, answer: Answer) -> bytes:
        """One chunk that has it all."""
        return dump(_whole(answer)).encode()


class GeminiArray(Gemini):
    """``POST .../models/NAME:streamGenerateContent`` without ``alt=sse``: one JSON array, sent element by element.

    The bracket that closes the array is its terminal event. An error is an array of one, as on Google's servers.
    """

    name: ClassVar[str] = "gemini.array"
    stream_type: ClassVar[str] = "application/json"
    payload: ClassVar[re.Pattern[bytes]] = ELEMENT

    def claims(self, method: str, path: str) -> bool:
        """Whatever other ``alt`` there is."""
        route = route_of(path)
        return method.upper() == "POST" and route is not None and route.stream and not route.sse

    def request_path(self, model: str, *, stream: bool) -> str:
        """Plain answers have a path of the other dialect."""
        return Route(model, stream=stream, sse=False).path

    def read_event(self, frame: bytes) -> Meaning:
        """An array without an element has the terminal event only."""
        element = ELEMENT.match(frame)
        if element is not None:
            return _meaning(fields(parse(element[1])))
        return Meaning(Kind.TERMINAL if frame.rstrip().endswith(b"]") else Kind.OTHER)

    def content_delta(self, frame: bytes) -> str | None:
        """The same as in the other form, without what joins the elements."""
        begin = frame.find(b"{", 0, 8)
        return _only_text(frame[begin:]) if begin >= 0 and not frame[:begin].strip(b"[, \r\n") else None

    def read_answer(self, body: bytes) -> Meaning:
        """All chunks together; some servers answer with the only chunk itself."""
        value = parse(body)
        meanings = [_meaning(fields(chunk)) for chunk in (value if isinstance(value, list) else [value])]
        return _joined(meanings)

    def splitter(self) -> Splitter:
        """The elements of an array."""
        return ArraySplitter()

    def error(
        self,
        status: int,
        *,
        error_type: str | None,
        code: str | None,
        message: str | None,
        retry_s: float | None = None,
    ) -> tuple[Headers, bytes]:
        """An array of one."""
        headers, body = super().error(status, error_type=error_type, code=code, message=message, retry_s=retry_s)
        return headers, b"[" + body + b"]"

    def error_event(
        self, error_type: str | None, message: str | None, *, frame: bytes = b"", follows: bool = True
    ) -> bytes:
        """The last element, and the end of the array."""
        begins = not follows and frame.lstrip().startswith(b"[")
        return (b"[" if begins else b"\n,\n") + dump(error_body(503, error_type, message)).encode() + b"\n]"

    def stream_frames(self, answer: Answer) -> list[bytes]:
        """The same chunks, joined as Google's servers do it."""
        chunks = [dump(chunk).encode() for chunk in _chunks(answer)]
        return [(b"\n,\n" if index else b"[") + chunk for index, chunk in enumerate(chunks)] + [b"\n]"]

    def plain_body(self, answer: Answer) -> bytes:
        """An array of one chunk."""
        return b"[" + super().plain_body(answer) + b"]"


# reading ------------------------------------------------------------------------------------------------------------


def _only_text(payload: bytes | None) -> str | None:
    if payload is None:
        return None
    try:
        chunk = GEMINI_CHUNK.decode(payload)
    except (ValueError, RecursionError):
        return None
    if len(chunk.candidates) != 1 or chunk.prompt_feedback or chunk.error:
        return None
    (candidate,) = chunk.candidates
    parts = candidate.content.parts
    if candidate.finish_reason or len(parts) != 1 or parts[0].function_call:
        return None
    return parts[0].text or None


def _meaning(payload: dict[str, Any]) -> Meaning:
    """A chunk and a plain answer have the same shape. A prompt that is blocked has no candidates."""
    if payload.get("error"):
        return Meaning(Kind.ERROR)
    kind = Kind.OTHER
    texts: list[str] = []
    finish = word(fields(payload.get("promptFeedback")).get("blockReason"))
    for candidate in map(fields, items(payload.get("candidates"))):
        finish = word(candidate.get("finishReason")) or finish
        for part in map(fields, items(fields(candidate.get("content")).get("parts"))):
            content, arguments = text(part.get("text")), _arguments(part)
            if content:
                kind |= Kind.CONTENT
            if arguments:
                kind |= Kind.TOOL
            texts += content, arguments
    if not finish:
        return Meaning(kind, "".join(texts))
    usage = fields(payload.get("usageMetadata"))
    kind |= Kind.FINISH | (Kind.USAGE if usage else 0)
    counts = count(usage.get("promptTokenCount")), count(usage.get("candidatesTokenCount"))
    return Meaning(kind, "".join(texts), finish, *counts)


def _arguments(part: dict[str, Any]) -> str:
    call = fields(part.get("functionCall"))
    return rewritten(fields(call.get("args"))) if call else ""


def _joined(meanings: Sequence[Meaning]) -> Meaning:
    whole = Meaning(Kind.OTHER)
    for meaning in meanings:
        if meaning.kind & Kind.ERROR:
            return meaning
        last = meaning if meaning.finish else whole
        kind, said = whole.kind | meaning.kind, whole.text + meaning.text
        whole = Meaning(kind, said, last.finish, last.prompt_tokens, last.output_tokens)
    return whole


# writing ------------------------------------------------------------------------------------------------------------


def _chunks(answer: Answer) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"text": piece} for piece in answer.text_pieces]
    return [*(_chunk(answer, [part]) for part in parts + _tool_parts(answer)), _ending(answer, [{"text": ""}])]


def _whole(answer: Answer) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": answer.text}] if answer.text else []
    return _ending(answer, parts + _tool_parts(answer))


def _tool_parts(answer: Answer) -> list[dict[str, Any]]:
    """Arguments are an object, an empty one if their text is not."""
    if answer.tool is None:
        return []
    return [{"functionCall": {"name": answer.tool.name, "args": fields(parse(answer.tool.arguments))}}]


def _chunk(answer: Answer, parts: list[dict[str, Any]], **candidate: Any) -> dict[str, Any]:
    content = {"parts": parts, "role": "model"}
    known = {"modelVersion": answer.model, "responseId": answer.id}
    return {"candidates": [{"content": content, **candidate, "index": 0}], **known}


def _ending(answer: Answer, parts: list[dict[str, Any]]) -> dict[str, Any]:
    usage = {
        "promptTokenCount": answer.prompt_tokens,
        "candidatesTokenCount": answer.output_tokens,
        "totalTokenCount": answer.prompt_tokens + answer.output_tokens,
    }
    return {**_chunk(answer, parts, finishReason=FINISH_WORDS[answer.finish]), "usageMetadata": usage}


GEMINI = Gemini()
GEMINI_ARRAY = GeminiArray()
