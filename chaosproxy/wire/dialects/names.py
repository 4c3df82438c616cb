"""The names of the dialects, as settings list them."""

from __future__ import annotations

from typing import Literal, TypeAlias

ApiName: TypeAlias = Literal[
    "openai.chat",
    "openai.responses",
    "anthropic.messages",
    "gemini",
    "gemini.array",
    "ollama",
    "ollama.generate",
]
"""What a client can speak."""
DialectName: TypeAlias = Literal["auto", ApiName, "raw"]
"""What can be expected behind a listener; ``auto`` is told from each request's path."""
