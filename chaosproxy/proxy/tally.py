"""What passed on one edge of an exchange: counts, times and the fingerprint of the text, never the text."""

from __future__ import annotations

from copy import copy, deepcopy
from typing import Any

from chaosproxy.events import RAW, TOKEN, Frame, Head, Headers, Kind, Meaning, Seen, header
from chaosproxy.journal.fingerprint import Fingerprinter
from chaosproxy.wire import Splitter
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.raw import RAW_BODY
from chaosproxy.wire.raw import RawSplitter


class Tally:
    """Splits a body into frames and counts them; a plain answer of up to ``answer_bytes`` is read at the end.

    Times are seconds since the exchange began. ``head`` is None before there is one.
    """

    def __init__(self, dialect: Dialect = RAW_BODY, head: Head | None = None, answer_bytes: int = 0) -> None:
        self._dialect = dialect
        self._head = head
        self._streamed = head is not None and head.streamed
        self._splitter: Splitter = dialect.splitter() if self._streamed else RawSplitter()
        self._text = Fingerprinter()
        self._answer: list[bytes] | None = None if self._streamed or not _readable(dialect, head) else []
        self._answer_bytes = answer_bytes
        self.events = 0
        self.tokens = 0
        self.bytes = 0
        self._first_content_at: float | None = None
        self._first_byte_at: float | None = None
        self._terminal = False
        self._error_event = False
        self._finish: str | None = None
        self._prompt_tokens: int | None = None
        self._output_tokens: int | None = None

    def fork(self) -> Tally:
        """An equal tally that goes its own way."""
        other: Tally = copy(self)
        other._splitter = deepcopy(self._splitter)
        other._text = self._text.copy()
        other._answer = None if self._answer is None else list(self._answer)
        return other

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete."""
        return self._splitter.pending

    @property
    def seen(self) -> Seen:
        """How far the answer has come, in whole frames."""
        return Seen(self.events, self.tokens, self.bytes - self.pending, self._head)

    def feed(self, data: bytes, at: float) -> list[Frame]:
        """Count a piece of the body; the frames that it completes."""
        self.bytes += len(data)
        if self._first_byte_at is None:
            self._first_byte_at = at
        if not self._streamed:
            self._keep(data)
            return [Frame(at, data, RAW)] if data else []
        return [self._read(frame, at) for frame in self._splitter.feed(data)]

    def flush(self, at: float) -> list[Frame]:
        """What is left at the end: half a frame, which no client can read but for its last line."""
        rest = self._splitter.flush()
        return [self._read(rest, at)] if rest else []

    def values(self, began_at: float) -> dict[str, Any]:
        """The fields of a journal's Edge that tell what passed, in absolute times; defaults are left out."""
        if self._answer:
            self._note(self._dialect.read_answer(b"".join(self._answer)), self._first_byte_at or 0.0)
            self._answer = None
        started_at = self._first_content_at
        passed = {
            "first_content_at": None if started_at is None else began_at + started_at,
            "events": self.events,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "terminal": self._terminal,
            "finish": self._finish,
            "error_event": self._error_event,
            "text": self._text.values(),
        }
        values: dict[str, Any] = {name: value for name, value in passed.items() if value}
        if self._prompt_tokens is not None:
            values["prompt_tokens"] = self._prompt_tokens
        if self._output_tokens is not None:
            values["output_tokens"] = self._output_tokens
        return values

    def _keep(self, data: bytes) -> None:
        if self._answer is not None:
            self._answer.append(data)
            if self.bytes > self._answer_bytes:
                self._answer = None

    def _read(self, data: bytes, at: float) -> Frame:
        meaning = self._dialect.read_event(data)
        self.events += 1
        self.tokens += bool(meaning.kind & TOKEN)
        self._terminal |= bool(meaning.kind & Kind.TERMINAL)
        self._error_event |= bool(meaning.kind & Kind.ERROR)
        self._note(meaning, at)
        return Frame(at, data, meaning)

    def _note(self, meaning: Meaning, at: float) -> None:
        if meaning.text:
            self._text.feed(meaning.text)
        if self._first_content_at is None and (meaning.text or meaning.kind & TOKEN):
            self._first_content_at = at
        self._finish = meaning.finish or self._finish
        if meaning.prompt_tokens is not None:
            self._prompt_tokens = meaning.prompt_tokens
        if meaning.output_tokens is not None:
            self._output_tokens = meaning.output_tokens


def _readable(dialect: Dialect, head: Head | None) -> bool:
    return head is not None and dialect is not RAW_BODY and not compressed(head.headers)


def compressed(headers: Headers) -> bool:
    """Whether the body is in a content coding, so that it cannot be read."""
    return (header(headers, "content-encoding") or "identity").lower() != "identity"
