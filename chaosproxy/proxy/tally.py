"""What passed on one edge of an exchange: counts, times and the fingerprint of the text, never the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaosproxy.events import RAW, TOKEN, Frame, Head, Kind, Meaning, Seen
from chaosproxy.journal.fingerprinter import Fingerprinter
from chaosproxy.proxy.headers import media_type
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.raw import RAW_BODY

UNREAD_BYTES = 4096
"""As much of a stream may wait to be read: cheap in a batch, and a thousand streams hold only a few megabytes."""
_PIECE_BYTES = 100
"""What each waiting piece takes beside its bytes."""
_TEXTS = 64
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
        self._finish: str | None = None
        self._prompt_tokens: int | None = None
        self._output_tokens: int | None = None

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete."""
        return 0

    @property
    def seen(self) -> Seen:
        """How far the answer has come, in whole frames."""
        pending = self.pending
        return Seen(self._events, self._tokens, self.bytes - pending, self._head)

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
            self._note(self._dialect.read_answer(b"".join(answer)), self._answered_at)
            self._hash_texts()
        started_at = self._first_content_at
        passed = {
            "first_content_at": None if started_at is None else began_at + started_at,
            "events": self._events,
            "tokens": self._tokens,
            "bytes": self.bytes,
            "terminal": bool(self._kinds & Kind.TERMINAL),
            "finish": self._finish,
            "error_event": bool(self._kinds & Kind.ERROR),
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
        self._finish = other._finish
        self._prompt_tokens = other._prompt_tokens
        self._output_tokens = other._output_tokens

    def _keep(self, answer: list[bytes], data: bytes, at: float) -> None:
        if not answer:
            self._answered_at = at
        answer.append(data)
        if self.bytes > self._answer_bytes:
            self._answer = None

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


class EventTally(Tally):
    """Counts a stream of events, in batches.

    Nobody needs to know what a frame means at the moment it passes, but for the time of the first content: up to
    there each piece is read as it comes, and no other arrival has to be remembered.
    """

    __slots__ = ("_room", "_splitter", "_unread")

    def __init__(self, dialect: Dialect, head: Head | None) -> None:
        super().__init__(dialect, head)
        self._splitter = dialect.splitter()
        self._unread: list[bytes] = []
        self._room = 0

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete."""
        self.settle()
        return self._splitter.pending

    def collect(self, data: bytes, at: float) -> None:
        """Count a piece of the body later, unless the first content has not come."""
        self._unread.append(data)
        self._room -= len(data) + _PIECE_BYTES
        if self._room < 0:
            self._read(at)

    def feed(self, data: bytes, at: float) -> list[Frame]:
        """Count a piece of the body now; the frames that it completes."""
        if self._unread:
            self._read(at)
        self.bytes += len(data)
        return [self._frame(frame, at) for frame in self._splitter.feed(data)]

    def count(self, frame: Frame, at: float) -> None:
        """Count a frame that left a chain; its bytes are read again unless its meaning is known to be theirs."""
        if self._unread:
            self._read(at)
        meaning = frame.meaning
        if meaning.read_from is frame.data and self._splitter.skip(frame.data):
            self.bytes += len(frame.data)
            self._count(meaning, at)
        else:
            self.collect(frame.data, at)

    def settle(self) -> None:
        """Read what waits to be read."""
        if self._unread:
            self._read(0.0)  # nothing waits while the time of the first content is not known
        self._hash_texts()

    def flush(self, at: float) -> list[Frame]:
        """What is left at the end: half a frame, which no client can read but for its last line."""
        self.settle()
        rest = self._splitter.flush()
        return [self._frame(rest, at)] if rest else []

    def fork(self) -> Tally:
        """An equal tally that goes its own way."""
        self.settle()
        other = EventTally(self._dialect, self._head)
        other._equal(self)
        other._splitter = self._splitter.copy()
        other._room = self._room
        return other

    def _read(self, at: float) -> None:
        """Read the pieces that wait; ``at`` is when the last of them came."""
        data = b"".join(self._unread)
        self._unread.clear()
        self.bytes += len(data)
        content_delta, texts = self._dialect.content_delta, self._texts
        contents = 0
        for frame in self._splitter.feed(data):
            text = content_delta(frame)
            if text is None:
                self._count(self._dialect.read_event(frame), at)
            else:
                texts.append(text)
                contents += 1
        self._events += contents
        self._tokens += contents
        if contents and self._first_content_at is None:
            self._first_content_at = at
        self._room = 0 if self._first_content_at is None else UNREAD_BYTES
        self._hash_texts()

    def _frame(self, data: bytes, at: float) -> Frame:
        text = self._dialect.content_delta(data)
        if text is None:
            meaning = self._dialect.read_event(data)
        else:
            meaning = Meaning(Kind.CONTENT, text, None, None, None, data)
        self._count(meaning, at)
        return Frame(at, data, meaning)

    def _count(self, meaning: Meaning, at: float) -> None:
        kind = meaning.kind
        self._events += 1
        if kind & TOKEN:
            self._tokens += 1
        self._kinds |= kind
        self._note(meaning, at)
        if len(self._texts) >= _TEXTS:
            self._hash_texts()


def tally_of(dialect: Dialect, head: Head, fields: Mapping[str, str], answer_bytes: int) -> Tally:
    """The tally for an answer that begins like this; ``fields`` are those of its head, by name in lower case."""
    if head.streamed:
        return EventTally(dialect, head)
    return Tally(dialect, head, answer_bytes if _readable(dialect, fields) else 0)


def is_streamed(dialect: Dialect, fields: Mapping[str, str]) -> bool:
    """Whether an answer with these header fields is made of events that can be read."""
    stream_type = media_type(dialect.stream_type)
    return _readable(dialect, fields) and media_type(fields.get("content-type")) == stream_type


def _readable(dialect: Dialect, fields: Mapping[str, str]) -> bool:
    """Not in a content coding, and in a dialect's words."""
    return dialect is not RAW_BODY and fields.get("content-encoding", "identity").lower() == "identity"
