"""Answers by our own readers, strictly: what is wrong with them, in words. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from chaosproxy.events import Kind, Meaning
from chaosproxy.lab.verify.asking import Reply
from chaosproxy.proxy.headers import media_type
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import Dialect, payload


def frames(spoken: Dialect, body: bytes) -> list[bytes]:
    """The events of a streamed answer, half a one at its end included."""
    splitter = spoken.splitter()
    found = splitter.feed(body)
    rest = splitter.flush()
    return [*found, rest] if rest else found


def documents(spoken: Dialect, body: bytes) -> Iterator[str]:
    """The JSON texts in a streamed answer; end markers, brackets and keep-alives have none."""
    for frame in frames(spoken, body):
        text = payload(spoken, frame)
        marks_end = text is not None and text.strip().startswith("[DONE]")
        if text is not None and text.strip() and not marks_end and spoken.read_event(frame).kind != Kind.KEEPALIVE:
            yield text


def media_type_flaws(reply: Reply, expected: str) -> Iterator[str]:
    """Status 200 and the media type."""
    if reply.status != 200:
        yield f"status {reply.status}"
    if media_type(reply.content_type) != media_type(expected):
        yield f"content-type {reply.content_type!r}, expected {expected!r}"


def json_flaws(text: str | bytes) -> Iterator[str]:
    """Strictly, unlike our readers: no NaN, nothing but an object (or what a Gemini array has around it)."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        yield f"not JSON: {error}"
        return
    if not isinstance(value, dict | list):
        yield f"not a JSON object: {value!r:.40}"


def plain_flaws(spoken: Dialect, reply: Reply, expected: Answer) -> Iterator[str]:
    """A whole plain answer: the text (or the tool's arguments), the finish reason and the count of tokens."""
    yield from media_type_flaws(reply, "application/json")
    yield from json_flaws(reply.body)
    yield from _content_flaws(spoken.read_answer(reply.body), expected)


def stream_flaws(spoken: Dialect, reply: Reply, expected: Answer) -> Iterator[str]:
    """A whole streamed answer: the same, each event JSON, and one terminal event, which is the last."""
    yield from media_type_flaws(reply, spoken.stream_type)
    for text in documents(spoken, reply.body):
        yield from json_flaws(text)
    meanings = [spoken.read_event(frame) for frame in frames(spoken, reply.body)]
    meanings = [meaning for meaning in meanings if meaning.kind != Kind.KEEPALIVE]
    ends = [index for index, meaning in enumerate(meanings) if meaning.kind & Kind.TERMINAL]
    if ends != [len(meanings) - 1]:
        yield f"{len(ends)} terminal events, or not the last of all" if ends else "no terminal event"
    yield from _content_flaws(joined(meanings), expected)


def error_flaws(spoken: Dialect, reply: Reply, status: int) -> Iterator[str]:
    """An error: the status that was asked for, and a body in which our reader sees one."""
    if reply.status != status:
        yield f"status {reply.status}, expected {status}"
    yield from json_flaws(reply.body)
    if not spoken.read_answer(reply.body).kind & Kind.ERROR:
        yield f"status {status}: the body tells no error"


def joined(meanings: list[Meaning]) -> Meaning:
    """All events of a stream as one."""
    kind, finish, output_tokens = Kind.OTHER, None, None
    for meaning in meanings:
        kind |= meaning.kind
        finish = meaning.finish or finish
        output_tokens = output_tokens if meaning.output_tokens is None else meaning.output_tokens
    return Meaning(kind, "".join(meaning.text for meaning in meanings), finish, None, output_tokens)


def _content_flaws(said: Meaning, expected: Answer) -> Iterator[str]:
    if said.kind & Kind.ERROR:
        yield "an error instead of an answer"
    if expected.tool is None:
        if said.text != expected.text:
            yield f"the text is {said.text!r:.60}, expected {expected.text!r:.60}"
    elif _value(said.text) != _value(expected.tool.arguments):
        yield f"the tool's arguments are {said.text!r:.60}, expected {expected.tool.arguments!r:.60}"
    if said.finish is None:
        yield "no finish reason"
    if said.output_tokens != expected.output_tokens:
        yield f"{said.output_tokens} output tokens, expected {expected.output_tokens}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
