"""From a request body to what the lab's backend answers: strict about the body, native in what it says. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chaosproxy.events import TOKEN
from chaosproxy.lab.text import expected_answer, expected_arguments, seed_of
from chaosproxy.lab.tools import tool_to_call
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.foreign_json import parse

CREATED_UNIX_S = 1_700_000_000
"""The time stamp of every answer: equal prompts get equal bytes."""
_ASKS = {"openai.responses": "input", "gemini": "contents", "gemini.array": "contents", "ollama.generate": "prompt"}
"""Where a request says what it asks, if not in ``messages``."""


class Refused(Exception):
    """The request gets an error in its dialect's words; ``message`` None leaves them to the dialect."""

    def __init__(self, status: int, message: str | None) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Asked:
    """A valid request: what the answer depends on."""

    model: str
    prompt: str
    stream: bool
    max_tokens: int | None
    asks_usage: bool
    tool: str | None

    @property
    def prompt_tokens(self) -> int:
        """An estimate: a quarter of the characters, at least one."""
        return max(1, len(self.prompt) // 4)

    def answer(self, tokens: int) -> Answer:
        """What a model says that says ``tokens`` tokens when nobody stops it earlier."""
        most = tokens if self.max_tokens is None else min(tokens, self.max_tokens)
        arguments = () if self.tool is None else tuple(expected_arguments(self.prompt, tokens))
        pieces = () if arguments else tuple(expected_answer(self.prompt, tokens))
        finish = Finish.TOOL if arguments else Finish.LENGTH if most < len(pieces) else Finish.STOP
        return Answer(
            id=f"{seed_of(self.prompt):016x}",
            model=self.model,
            created=CREATED_UNIX_S,
            text_pieces=pieces[:most],
            finish=finish,
            prompt_tokens=self.prompt_tokens,
            output_tokens=len(arguments) or len(pieces[:most]),
            tool=None if self.tool is None else ToolCall(self.tool, arguments),
            include_usage=self.asks_usage,
        )


def read_asked(dialect: Dialect, body: bytes, path: str) -> Asked:
    """What a request to ``path`` (with its query) asks for. Raises Refused (400) where a provider would refuse it."""
    request = parse(body)
    if not isinstance(request, dict):
        raise Refused(400, "The request body is not a JSON object.")
    facts = dialect.read_request(body, path)
    if not facts.model:
        raise Refused(400, "model: a name is required")
    asks = _ASKS.get(dialect.name, "messages")
    if not request.get(asks) or facts.prompt is None:
        raise Refused(400, f"{asks}: at least one message is required")
    if not isinstance(request.get("stream", False), bool | None):
        raise Refused(400, "stream: expected a boolean")
    if facts.max_tokens is not None and facts.max_tokens < 1:
        raise Refused(400, "max_tokens: must be at least 1")
    if facts.max_tokens is None and dialect.name == "anthropic.messages":
        raise Refused(400, "max_tokens: Field required")
    tool = tool_to_call(request, facts.prompt)
    return Asked(facts.model, facts.prompt, facts.stream is True, facts.max_tokens, facts.asks_usage, tool)


def by_token(dialect: Dialect, answer: Answer) -> Iterator[list[bytes]]:
    """The frames of a streamed answer, grouped by the moments of its tokens.

    What opens the stream comes with the first token, what ends it with the last, as vLLM does it.
    """
    group: list[bytes] = []
    spoken = False
    for frame in dialect.stream_frames(answer):
        is_token = bool(dialect.read_event(frame).kind & TOKEN)
        if is_token and spoken:
            yield group
            group = []
        spoken = spoken or is_token
        group.append(frame)
    yield group
