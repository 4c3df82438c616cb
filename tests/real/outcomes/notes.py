"""Why an outcome is what it is, where that is not what other measurements or the fault's description lead to expect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """For the cells of these clients in the rows that begin with ``line``, while they see ``saw``."""

    clients: tuple[str, ...]
    line: str
    saw: str
    text: str

    def fits(self, client: str, line: str, saw: str) -> bool:
        """Whether it belongs to that cell; a prefix of the line and of the outcome is enough."""
        return client in self.clients and line.startswith(self.line) and saw.startswith(self.saw)


_LITELLM_CHAT = ("litellm openai/", "litellm Router")
_NOTES = (
    Note(
        ("litellm openai/",),
        "http.status status=401 message=denied",
        "BadRequestError[401]",
        "LiteLLM takes a body of the type invalid_request_error for a bad request before it looks at the status; only "
        "OpenAI's own words for a wrong key and an unknown model are exceptions.",
    ),
    Note(
        ("litellm openai/",),
        "http.status status=409",
        "BadRequestError",
        "LiteLLM goes by the type in the body, invalid_request_error, before the status.",
    ),
    Note(
        (*_LITELLM_CHAT, "openai responses", "google-genai", "google-genai aiohttp"),
        "sse.malformed where=token:5 mode=json_null",
        "Cs",
        "The null takes the place of an event: the client passes over it, and its text is lost.",
    ),
    Note(
        (*_LITELLM_CHAT, "litellm anthropic/"),
        "stream.truncate where=token:5 framing=length",
        "Ts",
        "The server sends no more than the length that it told. One that goes on beyond it is noticed: an error, or "
        "the fallback, before the first text.",
    ),
    Note(
        ("google-genai", "google-genai aiohttp", "ollama"),
        "sse.drop where=first_event",
        "Cs",
        "In this dialect the first event already carries text.",
    ),
    Note(
        ("google-genai aiohttp",),
        "time.inter_token mean=100ms",
        "TimeoutError",
        "On aiohttp its timeout is one for the whole answer: it ends healthy streams that take longer.",
    ),
    Note(
        ("google-genai aiohttp",),
        "conn.",
        "ClientOSError",
        "On aiohttp it asks once more by itself, one to ten seconds later.",
    ),
    Note(
        ("anthropic", "anthropic helper"),
        "http.rate_limit retry_after=3600",
        "H",
        "It sleeps for the hour; the timeout of the request does not count for that.",
    ),
    Note(
        ("anthropic", "anthropic helper"),
        "llm.error_event",
        "APIStatusError[200]",
        "The status is the one that the answer began with, so whoever retries by status does not.",
    ),
)


def note(client: str, line: str, saw: str) -> str | None:
    """The first note that fits a cell."""
    return next((each.text for each in _NOTES if each.fits(client, line, saw)), None)
