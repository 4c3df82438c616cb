"""The JSON inside a frame, found and changed without touching the envelope around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.foreign_json import dump, parse

Span = tuple[int, int]


def payload_span(spoken: Dialect, frame: bytes) -> Span | None:
    """Where the payload of a frame begins and ends; None when it has none. Of several data lines the first counts."""
    found = spoken.payload.search(frame)
    return found.span(1) if found is not None else None


def with_payload(frame: bytes, span: Span, payload: bytes) -> bytes:
    """The frame with other bytes at ``span``."""
    return frame[: span[0]] + payload + frame[span[1] :]


def edited(spoken: Dialect, frame: bytes, edit: Callable[[dict[str, Any]], bool]) -> bytes | None:
    """The frame after ``edit`` changed its object in place; None when there is no object, or nothing was changed."""
    span = payload_span(spoken, frame)
    if span is None:
        return None
    payload = parse(frame[span[0] : span[1]])
    if not isinstance(payload, dict) or not edit(payload):
        return None
    return with_payload(frame, span, dump(payload).encode())


def text_span(frame: bytes, text: str) -> Span | None:
    """Where ``text`` stands as a JSON string in the frame, quotes left out; None when it does not stand there whole.

    The last place counts: content comes after ids and names in every dialect.
    """
    for ascii_only in (False, True):
        written = json.dumps(text, ensure_ascii=ascii_only).encode("utf-8", "replace")
        begin = frame.rfind(written)
        if text and begin >= 0:
            return begin + 1, begin + len(written) - 1
    return None


def escaped(text: str) -> bytes:
    """A text as it stands inside a JSON string."""
    return dump(text)[1:-1].encode()
