"""Requests for Gemini: half of what others write into the body stands in the path (ai.google.dev/api)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from chaosproxy.wire.dialects.base import RequestFacts
from chaosproxy.wire.foreign_json import count, fields, items, parse, text

_ROUTE = re.compile(r"/(?:models|tunedModels|endpoints)/([^/:]+?)(?::|%3[Aa])(generate|streamGenerate)Content/?\Z")


@dataclass(frozen=True, slots=True)
class Route:
    """What path and query ask for."""

    model: str
    stream: bool
    sse: bool

    @property
    def path(self) -> str:
        """Of the public API, which the SDK uses."""
        method = "streamGenerateContent" if self.stream else "generateContent"
        query = "?alt=sse" if self.stream and self.sse else ""
        return f"/v1beta/models/{quote(self.model, safe='')}:{method}{query}"


def route_of(target: str) -> Route | None:
    """The route of a path with its query, under any prefix; None when it is of something else."""
    path, _, query = target.partition("?")
    if "enerateContent" not in path:  # one look at most requests of others
        return None
    found = _ROUTE.search(path)
    if found is None:
        return None
    sse = parse_qs(query).get("alt") == ["sse"]
    return Route(unquote(found[1]), stream=found[2] == "streamGenerate", sse=sse)


def read_facts(body: bytes, target: str) -> RequestFacts:
    """The facts of a request; JSON names may also be written as in the proto files, with underscores."""
    route, request = route_of(target), fields(parse(body))
    contents = request.get("contents")
    turns = [request.get("systemInstruction", request.get("system_instruction")), *items(_listed(contents))]
    prompt = "\n".join(filter(None, (_text(fields(turn)) for turn in turns)))
    config = fields(request.get("generationConfig", request.get("generation_config")))
    return RequestFacts(
        model=None if route is None else route.model,
        stream=None if route is None else route.stream,
        prompt=None if contents is None or not request else prompt,
        max_tokens=count(config.get("maxOutputTokens", config.get("max_output_tokens"))),
    )


def _listed(contents: Any) -> Any:
    return [contents] if isinstance(contents, dict) else contents


def _text(content: dict[str, Any]) -> str:
    parts = _listed(content.get("parts"))
    return "\n".join(filter(None, (text(fields(part).get("text")) for part in items(parts))))
