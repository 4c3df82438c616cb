"""What frames mean to whom. Adding a dialect: a module that keeps ``base.Dialect``, a line here, one in ``names``."""

from __future__ import annotations

from difflib import get_close_matches

from chaosproxy.errors import BadValue
from chaosproxy.wire.dialects.anthropic import ANTHROPIC_MESSAGES
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.gemini import GEMINI, GEMINI_ARRAY
from chaosproxy.wire.dialects.ollama import OLLAMA, OLLAMA_GENERATE
from chaosproxy.wire.dialects.openai_chat import OPENAI_CHAT
from chaosproxy.wire.dialects.raw import RAW_BODY
from chaosproxy.wire.dialects.responses import OPENAI_RESPONSES

DIALECTS: tuple[Dialect, ...] = (
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    ANTHROPIC_MESSAGES,
    GEMINI,
    GEMINI_ARRAY,
    OLLAMA,
    OLLAMA_GENERATE,
    RAW_BODY,
)

_BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def dialect(name: str) -> Dialect:
    """The dialect of that name. Raises BadValue with the nearest name, or with all of them."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    near = get_close_matches(name, _BY_NAME, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(_BY_NAME)}"
    raise BadValue(f"unknown dialect {name!r}, {hint}")


def detect(method: str, path: str) -> Dialect:
    """The dialect of a request to ``path``, under any prefix; raw when nobody claims it."""
    for known in DIALECTS:
        if known.claims(method, path):
            return known
    return RAW_BODY
