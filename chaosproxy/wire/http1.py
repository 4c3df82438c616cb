"""HTTP/1.1 responses as they stand on the wire (RFC 9112): the head, and the body without its framing.

Readers never wait for more than they need, and lose nothing that came before a flaw: a body reader hands out one piece
for each HTTP chunk that came whole, and what there is of one that did not.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from chaosproxy.events import Framing, Headers

_STATUS_LINE = re.compile(r"HTTP/1\.([01]) (\d{3})(?: ([^\0\r\n]*))?\r?\n", re.ASCII).match
_FIELD = re.compile(r"^([\w!#$%&'*+\-.^`|~]+):[ \t]*((?:[^\0\r\n]*[^\0\r\n \t])?)[ \t]*\r?\n", re.ASCII | re.MULTILINE)
"""A field line: its name, and its value without the white space around it."""
_FOLD = re.compile(r"[ \t]*\r?\n[ \t]+")
_HEAD_END = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_BEGINNING = b"HTTP/1."
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r]*)?")
_PLAIN_SIZE_LINE = re.compile(rb"([0-9a-fA-F]{1,15})\r\n").match
_TELLING = frozenset({"connection", "content-length", "transfer-encoding"})
"""Fields that say how the body ends, and whether the connection does."""
_WITHOUT_BODY = (204, 304)


class Broken(Exception):
    """The bytes are no HTTP response; ``str`` says why."""


class ResponseHead(NamedTuple):
    """Status line and header fields, in the bytes in which they came (UTF-8 with surrogate escapes).

    ``chunked`` and ``length`` say how the body ends when the request and the status allow one; neither: with the
    connection. ``keeps_alive``: the connection may carry another request.
    """

    status: int
    reason: str
    headers: Headers
    chunked: bool
    length: int | None
    keeps_alive: bool

    def framing(self, method: str) -> Framing:
        """How the body of the answer to a ``method`` ends (RFC 9112, 6.3)."""
        if method == "HEAD" or self.status < 200 or self.status in _WITHOUT_BODY:
            return Framing.EMPTY
        if self.chunked:
            return Framing.CHUNKED
        return Framing.CLOSE if self.length is None else Framing.LENGTH


def head_end(data: bytes, limit_bytes: int) -> int:
    """Where the head ends, its blank line included; 0 when that has not come.

    Raises Broken when it never can: for a head of more than ``limit_bytes``, and for what does not begin as one does.
    """
    found = _HEAD_END.search(data)
    end = 0 if found is None else found.end()
    if (end or len(data)) > limit_bytes:
        raise Broken("the head is too long")
    if not end and not _BEGINNING.startswith(data[: len(_BEGINNING)]):
        raise Broken("no HTTP status line")
    return end


def read_head(data: bytes) -> ResponseHead:
    """The head in ``data``, blank line included. Raises Broken.

    A lone LF ends a line as CRLF does (RFC 9112, 2.2); what could be read in two ways is refused (RFC 9112, 11.2).
    """
    text = data.decode("utf-8", "surrogateescape")
    match = _STATUS_LINE(text)
    if match is None:
        raise Broken("no HTTP status line")
    begin = match.end()
    headers: list[tuple[str, str]] = _FIELD.findall(text, begin)
    if len(headers) != text.count("\n") - 2:  # besides the status line and the blank one, each line should be a field
        fields = _FOLD.sub(" ", text[begin:])  # line folding is obsolete and still sent (RFC 9112, 5.2)
        headers = _FIELD.findall(fields)
        if len(headers) != fields.count("\n") - 1:
            raise Broken("a header field is malformed")
    telling = [(known, value.lower()) for name, value in headers if (known := name.lower()) in _TELLING]
    chunked, length, options = _read_telling(telling) if telling else (False, None, ())
    current = match[1] == "1"
    keeps_alive = "close" not in options and (current or "keep-alive" in options)
    if chunked:  # a sender that also names a length, or does not know chunks, may mean another end (RFC 9112, 6.1)
        keeps_alive = keeps_alive and current and length is None
    return ResponseHead(int(match[2]), match[3] or "", tuple(headers), chunked, length, keeps_alive)


def _read_telling(fields: list[tuple[str, str]]) -> tuple[bool, int | None, Collection[str]]:
    """Whether the body is chunked, its length, and the options of the connection."""
    chunked, length, options = False, None, set[str]()
    for name, value in fields:
        if name == "connection":
            options.update(option.strip() for option in value.split(","))
        elif name == "transfer-encoding":
            if value != "chunked":
                raise Broken("the transfer coding is unknown")
            chunked = True
        elif _LENGTH.fullmatch(value) is None or length not in (None, int(value)):
            raise Broken("content-length is no number, or two numbers")
        else:
            length = int(value)
    return chunked, length, options


class BodyReader:
    """Takes the framing off a body. Nothing may be fed once it is ``complete`` or has a ``flaw``."""

    __slots__ = ("complete", "flaw", "surplus")

    def __init__(self) -> None:
        self.complete = False
        self.flaw: str | None = None
        """Why it cannot be read on."""
        self.surplus = b""
        """What came after the end."""

    def whole(self, data: bytes) -> bytes | None:
        """What is in ``data``, if that is exactly the next HTTP chunk: it is read then. None: feed it."""
        del data
        return None

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of the body that ``data`` brings."""
        raise NotImplementedError

    def end(self) -> bool:
        """The connection was closed; whether the body is complete."""
        return self.complete


def body_reader(framing: Framing, head: ResponseHead) -> BodyReader:
    """The reader for a body that is framed so."""
    if framing is Framing.CHUNKED:
        return ChunkedBody()
    if framing is Framing.CLOSE:
        return EndlessBody()
    return CountedBody(0 if framing is Framing.EMPTY else head.length or 0)


class CountedBody(BodyReader):
    """A body of ``length`` bytes."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        super().__init__()
        self._left = length
        self.complete = length == 0

    def feed(self, data: bytes) -> list[bytes]:
        size = len(data)
        if size > self._left:
            data, self.surplus = data[: self._left], data[self._left :]
            size = self._left
        self._left -= size
        self.complete = self._left == 0
        return [data] if size else []


class EndlessBody(BodyReader):
    """A body that ends with its connection."""

    __slots__ = ()

    def feed(self, data: bytes) -> list[bytes]:
        return [data]

    def end(self) -> bool:
        self.complete = True
        return True


_SIZES = [b"%x" % size for size in range(4096)]
"""How most senders write the size of a chunk."""
_AT_SIZE, _AFTER_CHUNK, _AT_TRAILER = 0, -1, -2

LINE_LIMIT_BYTES = 16 * 1024
"""The longest chunk-size line; the longest trailer."""


class ChunkedBody(BodyReader):
    """A body in chunks (RFC 9112, 7.1). Chunk extensions and trailer fields are dropped, as they may be."""

    __slots__ = ("_left", "_line", "_trailer_bytes")

    def __init__(self) -> None:
        super().__init__()
        self._line = b""  # of a line, or of the end of a chunk, what has come
        self._trailer_bytes = 0
        self._left = _AT_SIZE  # bytes of this chunk that are to come, or what comes instead

    def whole(self, data: bytes) -> bytes | None:
        end = data.find(b"\r\n")
        size = len(data) - end - 4
        if end > 0 and size > 0 and data.endswith(b"\r\n") and self._left == _AT_SIZE and not self._line:
            written = _SIZES[size] if size < len(_SIZES) else b"%x" % size
            if data.startswith(written) and end == len(written):
                return data[end + 2 : -2]
        return None

    def feed(self, data: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        at = 0
        if self._left == _AT_SIZE and not self._line:  # many bring several
            while (size_line := _PLAIN_SIZE_LINE(data, at)) is not None:
                begin = size_line.end()
                end = begin + int(size_line[1], 16)
                if data[end : end + 2] != b"\r\n" or end == begin:
                    break
                pieces.append(data[begin:end])
                at = end + 2
                if at == len(data):
                    return pieces
        return self._feed(self._line + data[at:], pieces)

    def _feed(self, data: bytes, pieces: list[bytes]) -> list[bytes]:
        self._line = b""
        at = 0
        while at < len(data) and not self.complete and self.flaw is None:
            if self._left > 0:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left = self._left - len(piece) or _AFTER_CHUNK
            else:
                at = self._read_line(data, at)
        if self.complete:
            self.surplus = data[at:]
        return pieces

    def _read_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        line = data[at:] if end < 0 else data[at:end]
        if self._left == _AFTER_CHUNK and not b"\r".startswith(line):
            self.flaw = "a chunk is longer than its size"
        elif len(line) > LINE_LIMIT_BYTES:
            self.flaw = "a chunk-size line is too long"
        elif end < 0:
            self._line = line
            return len(data)
        elif not line.endswith(b"\r"):
            self.flaw = "a chunk-size line is malformed"
        else:
            self._take_line(line[:-1])
        return end + 1

    def _take_line(self, line: bytes) -> None:
        if self._left == _AFTER_CHUNK:
            self._left = _AT_SIZE
        elif self._left == _AT_TRAILER:
            self.complete = not line
            self._trailer_bytes += len(line)
            if self._trailer_bytes > LINE_LIMIT_BYTES:
                self.flaw = "the trailer is too long"
        elif (match := _CHUNK_SIZE.fullmatch(line)) is None:
            self.flaw = "a chunk-size line is malformed"
        else:
            self._left = int(match[1], 16) or _AT_TRAILER
