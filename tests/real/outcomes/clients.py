"""The clients of the table: a new one is a way to ask in ``sdks`` and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from chaosproxy.wire.dialects import DIALECTS
from tests.real.outcomes import sdks, worker


@dataclass(frozen=True)
class Client:
    """``way``: how LiteLLM is asked, in its own process; None: ``opener`` asks in ours.

    Clients of one ``package`` are measured together.
    """

    name: str
    package: str
    dialect: str
    opener: sdks.Opener | None = None
    way: str | None = None
    deadline_s: float = 6
    """More than its attempts and the pauses between them take; what takes longer counts as hung."""

    @property
    def missing(self) -> str | None:
        """Why it cannot be asked here."""
        if self.way is not None:
            return None if worker.PYTHON.exists() else "LiteLLM has an environment of its own: make setup-litellm"
        module = {"google-genai": "google.genai"}.get(self.package, self.package)
        top = module.partition(".")[0]
        there = find_spec(top) is not None and find_spec(module) is not None
        return None if there else f"{self.package} is not installed: make setup"

    def version(self) -> str:
        """Package and version, of one that lives in our environment."""
        return f"{self.package} {metadata.version(self.package)}"


_ALL = (
    Client("openai chat", "openai", "openai.chat", sdks.openai_chat),
    Client("openai responses", "openai", "openai.responses", sdks.openai_responses),
    Client("anthropic", "anthropic", "anthropic.messages", sdks.anthropic_messages),
    Client("anthropic helper", "anthropic", "anthropic.messages", sdks.anthropic_helper),
    Client("google-genai", "google-genai", "gemini", sdks.google_genai),
    Client("google-genai aiohttp", "google-genai", "gemini", sdks.google_genai_aiohttp, deadline_s=14),
    Client("ollama", "ollama", "ollama", sdks.ollama_chat),
    Client("litellm openai/", "litellm", "openai.chat", way="openai"),
    Client("litellm anthropic/", "litellm", "anthropic.messages", way="anthropic"),
    Client("litellm Router", "litellm", "openai.chat", way="router"),
)
_SPOKEN = {dialect.name for dialect in DIALECTS}

CLIENTS = {client.name: client for client in _ALL if client.dialect in _SPOKEN}
"""By name. A client whose dialect we do not speak yet is left out."""
