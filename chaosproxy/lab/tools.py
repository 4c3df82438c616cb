"""Which tool an answer is to call, in the words of each dialect. Pure.

A tool is called when the request forces it, or leaves the choice and the prompt names one of its tools; after a tool's
result the answer is text again, unless forced.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chaosproxy.wire.foreign_json import fields, items, text, word

_FORCED = frozenset({"required", "any", "function", "tool"})
_RESULTS = frozenset({"tool_result", "function_call_output"})


def tool_to_call(request: dict[str, Any], prompt: str) -> str | None:
    """The name of the tool, or None."""
    names = list(_offered(request))
    kind, chosen = _choice(request)
    if not names or kind == "none":
        return None
    if kind in _FORCED:
        return chosen or names[0]
    if _ends_with_result(request):
        return None
    return next((name for name in names if name in prompt), None)


def _offered(request: dict[str, Any]) -> Iterator[str]:
    """Gemini groups them (``functionDeclarations``); others wrap each in a ``function``, or do not."""
    for tool in map(fields, items(request.get("tools"))):
        grouped = items(tool.get("functionDeclarations", tool.get("function_declarations")))
        for each in map(fields, grouped or [tool.get("function") or tool]):
            if name := text(each.get("name")):
                yield name


def _choice(request: dict[str, Any]) -> tuple[str, str | None]:
    """How free the model is, and the tool that the request names."""
    config = fields(fields(request.get("toolConfig", request.get("tool_config"))).get("functionCallingConfig"))
    if config:
        allowed = items(config.get("allowedFunctionNames"))
        return text(config.get("mode")).lower(), word(allowed[0]) if allowed else None
    choice = request.get("tool_choice") or "auto"
    if isinstance(choice, str):
        return choice, None
    named = fields(choice)
    return text(named.get("type")), word(fields(named.get("function") or named).get("name"))


def _ends_with_result(request: dict[str, Any]) -> bool:
    """The last message, input or content is what a tool gave back."""
    turns = items(request.get("messages")) or items(request.get("input")) or items(request.get("contents"))
    last = fields(turns[-1]) if turns else {}
    parts = [fields(part) for part in (*items(last.get("content")), *items(last.get("parts")))]
    told = last.get("role") == "tool" or any("functionResponse" in part for part in parts)
    return told or any(part.get("type") in _RESULTS for part in (last, *parts))
