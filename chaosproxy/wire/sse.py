"""Server-sent events: bytes to frames and back (WHATWG HTML, 9.2.6).

A frame ends with a blank line. A line ends with LF, CR or CRLF, so a CR that is the last byte at hand may be half of a
CRLF. Whether to wait for the other half depends on what came before, never on how the bytes were split:

    ... LF CR     wait: in a stream with CRLF line ends the LF is on its way
    ... CR CR     the frame ends here: a stream with CR line ends would otherwise be late by one event; in the odd
                  mix CR CRLF the LF leads the next frame, where it changes nothing
"""

from __future__ import annotations

import re
from typing import NamedTuple

STREAM_TYPE = "text/event-stream; charset=utf-8"
PAYLOAD = re.compile(rb"(?:(?<=[\r\n])|\A)data: ?([^\r\n]*)")
"""Each data line of a frame; all of them, joined by LF, are its payload."""
_BLANK_LINE = re.compile(rb"\n\n|\n\r\n?|\r\r")
_LINE_END = re.compile(r"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"
_LF = 0x0A


class SseSplitter:
    """Cuts an event stream into frames; a second blank line in a row is a frame of its own and is not kept waiting."""

    __slots__ = ("_buffer", "_has_cr", "_searched")

    def __init__(self) -> None:
        # The byte before the frame comes first, so that a blank line is always two line ends; a stream begins as
        # if after an LF.
        self._buffer = bytearray(b"\n")
        self._searched = 0
        self._has_cr = False

    def copy(self) -> SseSplitter:
        """An equal one that goes its own way."""
        other = SseSplitter()
        other._buffer[:] = self._buffer
        other._searched, other._has_cr = self._searched, self._has_cr
        return other

    @property
    def pending(self) -> int:
        """Bytes of the frame that is not complete yet."""
        return len(self._buffer) - 1

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes."""
        self._has_cr = self._has_cr or data.find(b"\r") >= 0
        if not self._has_cr and len(self._buffer) == 1:
            return self._split(data)
        if not self._has_cr and data.find(b"\n\n") >= 0:
            return self._split(self.flush() + data)
        return self._search(data)

    def _split(self, data: bytes) -> list[bytes]:
        """From a boundary on, with LF alone, as providers send it: several times faster than searching."""
        if 0 < data.find(b"\n\n") == len(data) - 2 and data[0] != _LF:
            return [data]
        if data.find(b"\n\n\n") >= 0 or data[:1] == b"\n":
            return self._search(data)  # a blank line more than one: a frame that is empty or begins with LF
        *frames, rest = data.split(b"\n\n")
        self._buffer += rest
        self._searched = max(0, len(rest) - 1)
        return [frame + b"\n\n" for frame in frames]

    def _search(self, data: bytes) -> list[bytes]:
        self._buffer += data
        frames: list[bytes] = []
        start = 1
        while end := self._frame_end():
            frames.append(bytes(self._buffer[start:end]))
            start, self._searched = end, end - 1
        del self._buffer[: start - 1]
        self._searched = max(0, len(self._buffer) - 2)
        return frames

    def skip(self, frame: bytes) -> bool:
        """Between two frames."""
        if len(self._buffer) > 1:
            return False
        self._buffer[:] = frame[-1:]
        return True

    def flush(self) -> bytes:
        """What is left at the end of the body; a last CR that waited for its LF is here too."""
        rest = bytes(self._buffer[1:])
        self._buffer = bytearray(b"\n")
        self._searched = 0
        return rest

    def _frame_end(self) -> int:
        """Where the next frame ends; 0 when that is not known yet."""
        if not self._has_cr:  # what providers send: several times faster without the expression
            found = self._buffer.find(b"\n\n", self._searched)
            return found + 2 if found >= 0 else 0
        blank = _BLANK_LINE.search(self._buffer, self._searched)
        if blank is None or (blank[0] == b"\n\r" and blank.end() == len(self._buffer)):
            return 0
        return blank.end()


class SseEvent(NamedTuple):
    """The fields of one frame, None when absent. Only a frame with ``data`` reaches an application."""

    name: str | None
    data: str | None
    id: str | None
    retry_ms: int | None
    comment: str | None

    @property
    def keeps_alive(self) -> bool:
        """Whether it is a ping or only a comment: sent so that silence is not taken for death."""
        return self.name == "ping" or (self.data is None and self.comment is not None)


def read_event(frame: bytes) -> SseEvent:
    """Read a frame as a browser would: bad UTF-8 becomes U+FFFD, unknown fields are ignored. Never raises."""
    name = event_id = retry_ms = None
    data: list[str] = []
    comments: list[str] = []
    for line in frame.removeprefix(_BOM).splitlines():  # of bytes: at LF, CR and CRLF only
        field, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match field:
            case "data":
                data.append(value)
            case "event":
                name = value or None
            case "id" if "\0" not in value:
                event_id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) < 16:
                retry_ms = int(value)
            case "" if line:
                comments.append(value)
    return SseEvent(name, _joined(data), event_id, retry_ms, _joined(comments))


def only_object(frame: bytes, begin: bytes) -> bytes | None:
    """The JSON object of a frame that is ``begin`` (up to its brace), no further line, and a blank line, all with LF.

    None when the frame is anything else; what is in the object was not looked at.
    """
    size = len(begin)
    if frame[:size] == begin and frame.find(b"\n", size) == len(frame) - 2 and frame.find(b"\r") < 0:
        return frame[size - 1 :]
    return None


def write_event(data: str, name: str | None = None) -> bytes:
    """One event with its blank line; each line of ``data`` becomes a field of its own."""
    head = f"event: {name}\n" if name is not None else ""
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return f"{head}{lines}\n".encode()


def _joined(lines: list[str]) -> str | None:
    return "\n".join(lines) if lines else None
