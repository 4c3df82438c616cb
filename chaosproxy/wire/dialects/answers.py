"""A whole answer, free of any dialect: what lab backends say, and what tests and foreign streams are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Finish(Enum):
    """Why an answer ended; each dialect has its own word for it."""

    STOP = "stop"
    LENGTH = "length"
    TOOL = "tool"
    FILTER = "filter"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool; ``arguments_pieces`` joined are its JSON arguments, one delta each."""

    name: str
    arguments_pieces: tuple[str, ...]

    @property
    def arguments(self) -> str:
        """The JSON arguments."""
        return "".join(self.arguments_pieces)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says. ``id`` goes without the dialect's prefix; ``created`` is Unix time in seconds.

    ``text_pieces`` become one content delta each; ``tool`` follows the text. ``include_usage`` matters to dialects
    in which a stream carries token counts on request only.
    """

    id: str
    model: str
    created: int
    text_pieces: tuple[str, ...] = ()
    finish: Finish = Finish.STOP
    prompt_tokens: int = 0
    output_tokens: int = 0
    tool: ToolCall | None = None
    include_usage: bool = False

    @property
    def text(self) -> str:
        """The whole text, without tool arguments."""
        return "".join(self.text_pieces)
