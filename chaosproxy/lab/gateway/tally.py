"""How whole an answer is, counted while its events pass.

An answer is whole when it has content, a finish reason *and* the terminal event. That does not show an event that was
lost in the middle: nothing in a chat stream numbers its events. Only the usage that the upstream reports can be held
against what came, and only where each event is one token, as in the lab. A real provider puts several tokens into one
event, and then nobody between it and the client can notice the loss.
"""

from __future__ import annotations

from chaosproxy.events import TOKEN, Kind, Meaning

_MAY_BE_EMPTY = frozenset({"tool_calls", "function_call", "tool_use", "content_filter", "refusal"})
"""Finish reasons after which no content is right: a tool without arguments, an answer that was withheld."""


class Tally:
    """What has been seen of one streamed answer."""

    def __init__(self) -> None:
        self.tokens = 0
        self.finish: str | None = None
        self.ended = False
        self.reported_tokens: int | None = None

    def see(self, meaning: Meaning) -> None:
        """Count one event."""
        if meaning.kind & TOKEN:
            self.tokens += 1
        if meaning.kind & Kind.FINISH:
            self.finish = meaning.finish
        if meaning.kind & Kind.TERMINAL:
            self.ended = True
        if meaning.kind & Kind.USAGE and meaning.output_tokens is not None:
            self.reported_tokens = meaning.output_tokens

    def gap(self) -> str | None:
        """What is missing of a whole answer, in words; None when nothing is."""
        if not self.tokens and self.finish not in _MAY_BE_EMPTY:
            return "an answer without content"
        if self.finish is None:
            return f"no finish reason after {self.tokens} events"
        return None if self.ended else f"no terminal event after {self.tokens} events"

    def miscount(self) -> str | None:
        """How the reported usage contradicts what came; None when it does not."""
        if self.reported_tokens is None:
            return f"no usage was reported, so {self.tokens} events cannot be vouched for"
        if self.reported_tokens != self.tokens:
            return f"{self.tokens} events came of {self.reported_tokens} tokens that were reported"
        return None
