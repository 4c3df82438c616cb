"""What the requests of several dialects have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from chaosproxy.wire.foreign_json import fields, items, text


def ends_with(method: str, path: str, ending: str) -> bool:
    """Whether this is a POST to ``ending`` under any prefix; a query and a slash at the end do not matter."""
    return method.upper() == "POST" and path.partition("?")[0].rstrip("/").endswith(ending)


def prompt_text(messages: Any, system: Any = None) -> str | None:
    """The text of all messages, the system's first, joined by newlines; None when ``messages`` is not an array."""
    if not isinstance(messages, list):
        return None
    pieces = list(_texts(system))
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            pieces.append(content)
        else:
            pieces.extend(_texts(content))
    return "\n".join(filter(None, pieces))


def _texts(content: Any) -> Iterator[str]:
    """Content is a string or an array of parts; a tool's result is a part with content of its own."""
    yield text(content)
    for part in map(fields, items(content)):
        yield text(part.get("text"))
        yield text(part.get("content"))
        for inner in map(fields, items(part.get("content"))):
            yield text(inner.get("text"))


def asks_stream(request: dict[str, Any]) -> bool | None:
    """Whether it asks for a stream; one that does not speak of it asks for a plain answer. None: it cannot be read."""
    stream = request.get("stream") or False if request else None
    return stream if isinstance(stream, bool) else None


def text_field(*names: str) -> re.Pattern[bytes]:
    """Finds a field of one of these names that holds a string; what stands before the string is the first group."""
    return re.compile(rb'("(?:%b)"\s*:\s*)"(?:[^"\\]|\\.)*"' % "|".join(names).encode())
