"""The tally of an answer made of events, which are read in batches; and which tally is for which answer."""

from __future__ import annotations

from collections.abc import Mapping

from chaosproxy.events import OTHER, TOKEN, Frame, Framing, Head, Kind, Meaning
from chaosproxy.proxy.headers import media_type
from chaosproxy.proxy.limits import MIB
from chaosproxy.proxy.tally import TEXTS, Tally
from chaosproxy.wire.dialects.base import Dialect, flaw_of, is_sse
from chaosproxy.wire.dialects.raw import RAW_BODY
from chaosproxy.wire.template import Template, learn

UNREAD_BYTES = 4096
"""As much of a stream may wait to be read: cheap in a batch, and a thousand streams hold only a few megabytes."""
EVENT_BYTES = 4 * MIB
"""The longest event; one that has no end goes on in pieces, each of which counts as an event that says nothing."""
_PIECE_BYTES = 100
"""What each waiting piece takes beside its bytes."""
_LESSONS = 8
"""As often a template is learnt for a stream; where no two events are alike there is nothing to learn."""


class EventTally(Tally):
    """Counts a stream of events, in batches.

    Nobody needs to know what a frame means at the moment it passes, but for the time of the first content: up to
    there each piece is read as it comes, and no other arrival has to be remembered.
    """

    __slots__ = ("_half", "_lessons", "_room", "_splitter", "_template", "_unread")

    def __init__(self, dialect: Dialect, head: Head | None) -> None:
        super().__init__(dialect, head)
        self._splitter = dialect.splitter()
        self._unread: list[bytes] = []
        self._room = 0
        self._template: Template | None = None
        self._lessons = _LESSONS
        self._half = False  # it ended inside of an event

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete."""
        self.settle()
        return self._splitter.pending

    @property
    def flaw(self) -> str | None:
        """An error event, half an event, or no end; a stream that said its finish reason may go without the last."""
        head = self._head
        if head is None or head.status != 200 or head.framing is Framing.EMPTY:
            return None
        if self._kinds & Kind.ERROR:
            return "event: the upstream sent an error event"
        if self._kinds & Kind.TERMINAL:
            return None
        if self._half:
            return "incomplete: the stream ended in mid-event"
        return None if self._finish else "incomplete: the stream ended without its terminal event"

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
        return [self._frame(frame, at) for frame in self._split(data)]

    def count(self, frame: Frame, at: float) -> None:
        """Count a frame that left a chain; its bytes are read again unless its meaning is known to be theirs."""
        if self._unread:
            self._read(at)
        meaning = frame.meaning
        if meaning.read_from is frame.data and self._splitter.skip(frame.data):
            self.bytes += len(frame.data)
            self._count(meaning, frame.data, at)
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
        self._half = bool(rest)
        malformed = self._malformed
        frames = [self._frame(rest, at)] if rest else []
        if is_sse(self._dialect):
            self._malformed = malformed  # clients drop half an event
        return frames

    def fork(self) -> Tally:
        """An equal tally that goes its own way."""
        self.settle()
        other = EventTally(self._dialect, self._head)
        other._equal(self)
        other._splitter = self._splitter.copy()
        other._room = self._room
        other._template = self._template
        other._lessons = self._lessons
        other._half = self._half
        return other

    def _read(self, at: float) -> None:
        """Read the pieces that wait; ``at`` is when the last of them came."""
        data = b"".join(self._unread)
        self._unread.clear()
        self.bytes += len(data)
        texts = None if self._template is None else self._template.texts(data)
        if texts is None or not self._splitter.skip(data):
            self._read_frames(self._split(data), at)
        else:  # there was content before, from which it was learnt
            self._texts += texts
            self._events += len(texts)
            self._tokens += len(texts)
        self._room = 0 if self._first_content_at is None else UNREAD_BYTES
        self._hash_texts()

    def _split(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes; an upstream may not fill our memory with one that never ends."""
        frames = self._splitter.feed(data)
        if self._splitter.pending > EVENT_BYTES:
            frames.append(self._splitter.flush())
        return frames

    def _read_frames(self, frames: list[bytes], at: float) -> None:
        for frame in frames:
            text = self._content_delta(frame)
            if text is None:
                self._count(self._dialect.read_event(frame), frame, at)
            else:
                self._texts.append(text)
                self._events += 1
                self._tokens += 1
                if self._first_content_at is None:
                    self._first_content_at = at

    def _content_delta(self, frame: bytes) -> str | None:
        """The text of an ordinary content event."""
        template = self._template
        if template is not None and (texts := template.texts(frame)) is not None:
            return texts[0]
        text = self._dialect.content_delta(frame)
        if text is not None and self._lessons:
            self._lessons -= 1
            self._template = learn(frame, text, self._dialect.content_delta, template)
        return text

    def _frame(self, data: bytes, at: float) -> Frame:
        text = self._content_delta(data)
        if text is None:
            meaning = self._dialect.read_event(data)
        else:
            meaning = Meaning(Kind.CONTENT, text, None, None, None, data)
        self._count(meaning, data, at)
        return Frame(at, data, meaning)

    def _count(self, meaning: Meaning, data: bytes, at: float) -> None:
        kind = meaning.kind
        if not kind and not self._malformed and meaning == OTHER:
            self._malformed = flaw_of(self._dialect, data, meaning) is not None
        self._events += 1
        if kind & TOKEN:
            self._tokens += 1
        self._kinds |= kind
        self._note(meaning, at)
        if len(self._texts) >= TEXTS:
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
