r"""The JSON inside a frame, whatever its envelope: found, replaced and edited without touching the bytes around it.

event: message_delta\ndata: {"type":...}\n\n      server-sent events: the first data line
{"model":...}\n                                  a line of JSON
,\n{"candidates":...}                            an element of a JSON array
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from chaosproxy.wire.foreign_json import dump, parse

_DATA_LINE = re.compile(rb"(?:(?<=[\r\n])|\A)data: ?([^\r\n]*)")
_FIELD_LINE = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:data|event|id|retry)?:")

Span = tuple[int, int]


def is_event(frame: bytes) -> bool:
    """Whether a frame is a server-sent event (or a comment), as opposed to bare JSON."""
    return _FIELD_LINE.match(frame) is not None


def payload_span(frame: bytes) -> Span | None:
    """Where the payload of a frame begins and ends; None when it has none."""
    if is_event(frame):
        line = _DATA_LINE.search(frame)
        return line.span(1) if line is not None else None
    begin, end = frame.find(b"{"), frame.rfind(b"}") + 1
    return (begin, end) if 0 <= begin < end else None


def with_payload(frame: bytes, span: Span, payload: bytes) -> bytes:
    """The frame with another payload."""
    return frame[: span[0]] + payload + frame[span[1] :]


def edited(frame: bytes, edit: Callable[[dict[str, Any]], bool]) -> bytes | None:
    """The frame after ``edit`` changed its object in place; None when there is no object, or nothing was changed."""
    span = payload_span(frame)
    if span is None:
        return None
    payload = parse(frame[slice(*span)])
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
