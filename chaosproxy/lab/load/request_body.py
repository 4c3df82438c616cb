"""What the load writes into a request, in each API's own words. Pure."""

from __future__ import annotations

from typing import Any

from chaosproxy.experiment.load_settings import Request

_KEY = "sk-chaosproxy-load"
_BEARER = {"authorization": f"Bearer {_KEY}"}
_GOOGLE = {"x-goog-api-key": _KEY}
KEYS: dict[str, dict[str, str]] = {
    "openai.chat": _BEARER,
    "openai.responses": _BEARER,
    "anthropic.messages": {"x-api-key": _KEY, "anthropic-version": "2023-06-01"},
    "gemini": _GOOGLE,
    "gemini.array": _GOOGLE,
    "ollama": {},
    "ollama.generate": {},
}
"""With which header fields each API is asked."""
_TOOL = "look_up"
_SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
_FUNCTION = {"name": _TOOL, "parameters": _SCHEMA}


def request_body(request: Request, model: str, prompt: str) -> dict[str, Any]:
    """One call's body. The path says the rest for Gemini."""
    match request.api:
        case "openai.responses":
            return _responses(request, model, prompt)
        case "gemini" | "gemini.array":
            return _gemini(request, prompt)
        case "ollama" | "ollama.generate":
            return _ollama(request, model, prompt)
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": request.max_tokens,
        "stream": request.stream,
    }
    if request.api == "openai.chat":
        if request.stream:
            body["stream_options"] = {"include_usage": True}
        if request.tools:
            body["tools"] = [{"type": "function", "function": _FUNCTION}]
            body["tool_choice"] = "required"
    elif request.tools:
        body["tools"] = [{"name": _TOOL, "input_schema": _SCHEMA}]
        body["tool_choice"] = {"type": "any"}
    return body


def _responses(request: Request, model: str, prompt: str) -> dict[str, Any]:
    asked = {"model": model, "input": prompt, "max_output_tokens": request.max_tokens, "stream": request.stream}
    tools = {"tools": [{"type": "function", **_FUNCTION, "strict": False}], "tool_choice": "required"}
    return asked | tools if request.tools else asked


def _gemini(request: Request, prompt: str) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "contents": [{"role": "user", "parts": [{"text": prompt}]}],
        "generationConfig": {"maxOutputTokens": request.max_tokens},
    }
    if request.tools:
        asked["tools"] = [{"functionDeclarations": [_FUNCTION]}]
        asked["toolConfig"] = {"functionCallingConfig": {"mode": "ANY"}}
    return asked


def _ollama(request: Request, model: str, prompt: str) -> dict[str, Any]:
    """No API of Ollama forces a tool: ``tool_choice`` is for the lab, and a real one leaves it unread."""
    asked = {"model": model, "stream": request.stream, "options": {"num_predict": request.max_tokens}}
    if request.api == "ollama.generate":
        return {**asked, "prompt": prompt}
    asked["messages"] = [{"role": "user", "content": prompt}]
    if request.tools:
        asked |= {"tools": [{"type": "function", "function": _FUNCTION}], "tool_choice": "required"}
    return asked
