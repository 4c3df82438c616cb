"""What passed on one edge of an exchange: counts, times and the fingerprint of the text, never the text."""

from __future__ import annotations

from typing import Any

from chaosproxy.events import OTHER, RAW, TOKEN, Frame, Head, Kind, Meaning, Seen
from chaosproxy.journal.fingerprinter import Fingerprinter
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.raw import RAW_BODY
from chaosproxy.wire.foreign_json import parse

TEXTS = 64
"""As many pieces of text wait to be hashed."""


class Tally:
    """Counts a body. Times are seconds since the exchange began; ``head`` is None before there is one.

    This one is for bodies without events: each piece is one, and means nothing. A plain answer of up to
    ``answer_bytes`` is read at the end; 0: it cannot be read.
    """

    __slots__ = (
        "_answer",
        "_answer_bytes",
        "_answered_at",
        "_dialect",
        "_events",
        "_finish",
        "_first_content_at",
        "_head",
        "_kinds",
        "_malformed",
        "_output_tokens",
        "_prompt_tokens",
        "_text",
        "_texts",
        "_tokens",
        "bytes",
    )

    def __init__(self, dialect: Dialect = RAW_BODY, head: Head | None = None, answer_bytes: int = 0) -> None:
        self._dialect = dialect
        self._head = head
        self._answer: list[bytes] | None = [] if answer_bytes else None
        self._answer_bytes = answer_bytes
        self._answered_at = 0.0
        self.bytes = 0
        self._events = 0
        self._tokens = 0
        self._texts: list[str] = []
        self._text: Fingerprinter | None = None
        self._first_content_at: float | None = None
        self._kinds = 0
        self._malformed = False
        self._finish: str | None = None
        self._prompt_tokens: int | None = None
        self._output_tokens: int | None = None

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete."""
        return 0

    @property
    def first_content_at(self) -> float | None:
        """When the first content passed, as far as it was read."""
        return self._first_content_at

    @property
    def seen(self) -> Seen:
        """How far the answer has come, in whole frames."""
        pending = self.pending
        return Seen(self._events, self._tokens, self.bytes - pending, self._head)

    @property
    def flaw(self) -> str | None:
        """What was wrong with a body that ended as framed, where that can be seen."""
        return None

    def fork(self) -> Tally:
        """An equal tally that goes its own way."""
        self.settle()
        other = Tally(self._dialect, self._head)
        other._equal(self)
        return other

    def collect(self, data: bytes, at: float) -> None:
        """Count a piece of the body, now or later."""
        if not data:
            return
        self._events += 1
        self.bytes += len(data)
        if self._answer is not None:
            self._keep(self._answer, data, at)

    def feed(self, data: bytes, at: float) -> list[Frame]:
        """Count a piece of the body now; the frames that it completes."""
        self.collect(data, at)
        return [Frame(at, data, RAW)] if data else []

    def count(self, frame: Frame, at: float) -> None:
        """Count a frame that left a chain; its bytes are read again unless its meaning is known to be theirs."""
        self.collect(frame.data, at)

    def settle(self) -> None:
        """Read what waits to be read; a plain answer waits for its end."""
        self._hash_texts()

    def flush(self, at: float) -> list[Frame]:
        """What is left at the end: half a frame, which no client can read but for its last line."""
        del at
        return []

    def values(self, began_at: float) -> dict[str, Any]:
        """The fields of a journal's Edge that tell what passed, in absolute times; defaults are left out."""
        self.settle()
        if self._answer:
            answer, self._answer = self._answer, None
            self._read_answer(b"".join(answer))
        started_at = self._first_content_at
        passed = {
            "first_content_at": None if started_at is None else began_at + started_at,
            "events": self._events,
            "tokens": self._tokens,
            "bytes": self.bytes,
            "terminal": bool(self._kinds & Kind.TERMINAL),
            "finish": self._finish,
            "error_event": bool(self._kinds & Kind.ERROR),
            "malformed": self._malformed,
            "text": None if self._text is None else self._text.values(),
        }
        values: dict[str, Any] = {name: value for name, value in passed.items() if value}
        if self._prompt_tokens is not None:
            values["prompt_tokens"] = self._prompt_tokens
        if self._output_tokens is not None:
            values["output_tokens"] = self._output_tokens
        return values

    def _equal(self, other: Tally) -> None:
        """Begin where ``other`` is, which has settled; nothing is shared."""
        self.bytes = other.bytes
        self._answer = None if other._answer is None else other._answer[:]
        self._answer_bytes = other._answer_bytes
        self._answered_at = other._answered_at
        self._events = other._events
        self._tokens = other._tokens
        self._text = other._text and other._text.copy()
        self._first_content_at = other._first_content_at
        self._kinds = other._kinds
        self._malformed = other._malformed
        self._finish = other._finish
        self._prompt_tokens = other._prompt_tokens
        self._output_tokens = other._output_tokens

    def _keep(self, answer: list[bytes], data: bytes, at: float) -> None:
        if not answer:
            self._answered_at = at
        answer.append(data)
        if self.bytes > self._answer_bytes:
            self._answer = None

    def _read_answer(self, answer: bytes) -> None:
        meaning = self._dialect.read_answer(answer)
        if self._head is not None and self._head.status < 300:
            self._kinds |= meaning.kind & Kind.ERROR
            self._malformed = meaning == OTHER and parse(answer) is None
        self._note(meaning, self._answered_at)
        self._hash_texts()

    def _note(self, meaning: Meaning, at: float) -> None:
        if meaning.text:
            self._texts.append(meaning.text)
        if self._first_content_at is None and (meaning.text or meaning.kind & TOKEN):
            self._first_content_at = at
        self._finish = meaning.finish or self._finish
        if meaning.prompt_tokens is not None:
            self._prompt_tokens = meaning.prompt_tokens
        if meaning.output_tokens is not None:
            self._output_tokens = meaning.output_tokens

    def _hash_texts(self) -> None:
        if self._texts:
            self._text = self._text or Fingerprinter()
            self._text.feed("".join(self._texts))
            self._texts.clear()
