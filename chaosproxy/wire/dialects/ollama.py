"""Ollama, as ollama-python 0.6 reads it; github.com/ollama/ollama/blob/main/docs/api.md.

Newline-delimited JSON, streamed unless the request says otherwise. Its two endpoints differ in one field:

    ollama             {"message":{"content":"..."},"done":false}    /api/chat
    ollama.generate    {"response":"...","done":false}               /api/generate
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar

from chaosproxy.events import OTHER, Headers, Kind, Meaning
from chaosproxy.wire.dialects.answers import Answer, Finish
from chaosproxy.wire.dialects.base import RateLimit, RequestFacts
from chaosproxy.wire.dialects.chunks import OLLAMA_LINE
from chaosproxy.wire.dialects.requests import ends_with, prompt_text, text_field
from chaosproxy.wire.foreign_json import count, dump, fields, items, parse, rewritten, text, word
from chaosproxy.wire.ndjson import PAYLOAD, LineSplitter

FINISH_WORDS = {
    Finish.STOP: "stop",
    Finish.LENGTH: "length",
    Finish.TOOL: "stop",
    Finish.FILTER: "stop",
}
"""There is no filter; a model that will not answer says so in its text."""
_USUAL = {
    400: "invalid request",
    401: "unauthorized",
    404: "model not found, try pulling it first",
    429: "too many requests",
    500: "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error",
    503: "server busy, please try again.  maximum pending requests exceeded",
}


class Ollama:
    """``POST .../api/chat``. Its OpenAI-compatible paths (``/v1``) are of that dialect."""

    name: ClassVar[str] = "ollama"
    stream_type: ClassVar[str] = "application/x-ndjson"
    payload: ClassVar[re.Pattern[bytes]] = PAYLOAD
    finish_reason: ClassVar[re.Pattern[bytes]] = text_field("done_reason")

    def claims(self, method: str, path: str) -> bool:
        """Under any prefix."""
        return ends_with(method, path, "/api/chat")

    def request_path(self, model: str, *, stream: bool) -> str:
        """The same for every request."""
        del model, stream
        return "/api/chat"

    def read_request(self, body: bytes, path: str) -> RequestFacts:
        """Usage always comes; a limit below zero is none."""
        del path
        request = fields(parse(body))
        stream = request.get("stream", True) if request else None
        limit = count(fields(request.get("options")).get("num_predict"))
        return RequestFacts(
            model=word(request.get("model")),
            stream=stream if isinstance(stream, bool) else None,
            prompt=self._prompt(request),
            max_tokens=None if limit is None or limit < 0 else limit,
        )

    def read_event(self, frame: bytes) -> Meaning:
        """The line that says ``done`` is the end, and may have the last words, too."""
        return _meaning(fields(parse(frame)))

    def content_delta(self, frame: bytes) -> str | None:
        """A line with text or thinking."""
        if frame[:1] != b"{" or frame.find(b"\n") != len(frame) - 1:
            return None
        try:
            line = OLLAMA_LINE.decode(frame)
        except (ValueError, RecursionError):
            return None
        message = line.message
        if line.done or line.error or (message is not None and message.tool_calls):
            return None
        said = "" if message is None else (message.thinking or "") + (message.content or "")
        return said + (line.thinking or "") + (line.response or "") or None

    def read_answer(self, body: bytes) -> Meaning:
        """A plain answer is a last line that has all the words."""
        meaning = _meaning(fields(parse(body)))
        return replace(meaning, kind=meaning.kind & ~Kind.TERMINAL)

    def splitter(self) -> LineSplitter:
        """Lines."""
        return LineSplitter()

    def error(
        self,
        status: int,
        *,
        error_type: str | None,
        code: str | None,
        message: str | None,
        retry_s: float | None = None,
    ) -> tuple[Headers, bytes]:
        """A text and nothing else; a type stands there when no message does."""
        del code, retry_s
        return (("content-type", "application/json"),), _error(status, error_type, message)

    def error_event(
        self, error_type: str | None, message: str | None, *, frame: bytes = b"", follows: bool = True
    ) -> bytes:
        """The same as a line."""
        del frame, follows
        return _error(500, error_type, message) + b"\n"

    def limit_headers(self, limit: RateLimit) -> Headers:
        """None: it has no limits of this kind."""
        del limit
        return ()

    def stream_frames(self, answer: Answer) -> list[bytes]:
        """A line for each piece, one for the tool with all its arguments, one that is done."""
        said = [self._said(piece) for piece in answer.text_pieces]
        if answer.tool is not None:
            said.append(self._said("", answer))
        lines = [{**_known(answer), **each, "done": False} for each in said]
        return [dump(line).encode() + b"\n" for line in [*lines, {**_known(answer), **self._said(""), **_end(answer)}]]

    def plain_body(self, answer: Answer) -> bytes:
        """The last line, with all the words."""
        return dump({**_known(answer), **self._said(answer.text, answer), **_end(answer)}).encode()

    def _prompt(self, request: dict[str, Any]) -> str | None:
        return prompt_text(request.get("messages"))

    def _said(self, content: str, calls: Answer | None = None) -> dict[str, Any]:
        """The words of a line, and the tool of an answer that calls one."""
        message: dict[str, Any] = {"role": "assistant", "content": content}
        return {"message": message | (_tool_calls(calls) if calls is not None else {})}


class OllamaGenerate(Ollama):
    """``POST .../api/generate``: one prompt instead of messages; it calls no tools, so their arguments are its text."""

    name: ClassVar[str] = "ollama.generate"

    def claims(self, method: str, path: str) -> bool:
        """Under any prefix."""
        return ends_with(method, path, "/api/generate")

    def request_path(self, model: str, *, stream: bool) -> str:
        """The same for every request."""
        del model, stream
        return "/api/generate"

    def _prompt(self, request: dict[str, Any]) -> str | None:
        prompt = word(request.get("prompt"))
        return None if prompt is None else prompt_text([{"content": prompt}], request.get("system"))

    def _said(self, content: str, calls: Answer | None = None) -> dict[str, Any]:
        arguments = "" if calls is None or calls.tool is None else calls.tool.arguments
        return {"response": content + arguments}


# reading ------------------------------------------------------------------------------------------------------------


def _meaning(line: dict[str, Any]) -> Meaning:
    if line.get("error"):
        return Meaning(Kind.ERROR)
    message = fields(line.get("message"))
    content = text(message.get("thinking")) + text(message.get("content"))
    content += text(line.get("thinking")) + text(line.get("response"))
    calls = [fields(fields(call).get("function")) for call in items(message.get("tool_calls"))]
    arguments = "".join(rewritten(fields(call.get("arguments"))) for call in calls if call)
    kind = (Kind.CONTENT if content else 0) | (Kind.TOOL if arguments else 0)
    if line.get("done") is not True:
        return Meaning(kind, content + arguments) if kind else OTHER
    finish = word(line.get("done_reason")) or None
    counts = count(line.get("prompt_eval_count")), count(line.get("eval_count"))
    kind |= Kind.TERMINAL | (Kind.FINISH if finish else 0) | (Kind.USAGE if counts != (None, None) else 0)
    return Meaning(kind, content + arguments, finish, *counts)


# writing ------------------------------------------------------------------------------------------------------------


def _error(status: int, error_type: str | None, message: str | None) -> bytes:
    usual = _USUAL.get(status) or next((known.phrase.lower() for known in HTTPStatus if known == status), "")
    return dump({"error": message or error_type or usual or f"status {status}"}).encode()


def _known(answer: Answer) -> dict[str, Any]:
    created = datetime.fromtimestamp(answer.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"model": answer.model, "created_at": created}


def _tool_calls(answer: Answer) -> dict[str, Any]:
    """Arguments are an object, an empty one if their text is not."""
    if answer.tool is None:
        return {}
    call = {"name": answer.tool.name, "arguments": fields(parse(answer.tool.arguments))}
    return {"tool_calls": [{"function": call}]}


def _end(answer: Answer) -> dict[str, Any]:
    """Durations, in nanoseconds, are not what a lab can know."""
    counts = {"prompt_eval_count": answer.prompt_tokens, "eval_count": answer.output_tokens}
    times = {"total_duration": 0, "load_duration": 0, "prompt_eval_duration": 0, "eval_duration": 0}
    return {"done": True, "done_reason": FINISH_WORDS[answer.finish], **times, **counts}


OLLAMA = Ollama()
OLLAMA_GENERATE = OllamaGenerate()
