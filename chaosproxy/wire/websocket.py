"""WebSocket frames: bytes to frames and back (RFC 6455, 5.2).

A message is one data frame, or several: the first has the opcode, the others have CONTINUATION, the last has FIN.
Control frames may come in between.
"""

from __future__ import annotations

from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_FIN = 0x80
_MASKED = 0x80
_CONTROL = 0x08
_WIDTHS = {126: 2, 127: 8}


class FrameHead(NamedTuple):
    """What a frame says first. ``size`` is that of the whole frame."""

    opcode: int
    fin: bool
    size: int

    @property
    def control(self) -> bool:
        """Whether it is no part of a message: close, ping or pong."""
        return bool(self.opcode & _CONTROL)


def read_head(data: bytes | bytearray, start: int = 0) -> FrameHead | None:
    """The head of the frame that begins at ``start``; None while it is not complete."""
    if len(data) < start + 2:
        return None
    first, second = data[start], data[start + 1]
    length = second & 0x7F
    begin = start + 2 + _WIDTHS.get(length, 0)
    if len(data) < begin:
        return None
    if begin > start + 2:
        length = int.from_bytes(data[start + 2 : begin], "big")
    masking = 4 if second & _MASKED else 0
    return FrameHead(first & 0x0F, bool(first & _FIN), begin - start + masking + length)


def write_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A frame as a server sends it, unmasked."""
    size = len(payload)
    if size < min(_WIDTHS):
        length = bytes([size])
    elif size < 1 << 16:
        length = b"\x7e" + size.to_bytes(2, "big")
    else:
        length = b"\x7f" + size.to_bytes(8, "big")
    return bytes([opcode | (_FIN if fin else 0)]) + length + payload


def close_frame(code: int) -> bytes:
    """The frame that ends a connection, with a code and no reason."""
    return write_frame(CLOSE, code.to_bytes(2, "big"))


class Piece(NamedTuple):
    """A whole frame; or one of the pieces of a large one, of which the first ``begins`` it."""

    data: bytes
    begins: bool


class WebSocketSplitter:
    """Cuts what one side sends into frames. A frame larger than ``limit`` is not kept waiting: it comes in pieces."""

    __slots__ = ("_buffer", "_left", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._left = 0  # of a frame that comes in pieces

    def feed(self, data: bytes) -> list[Piece]:
        """The frames that ``data`` completes, and pieces of large ones."""
        pieces = []
        if self._left:
            pieces.append(Piece(data[: self._left], begins=False))
            data = data[self._left :]
            self._left -= len(pieces[0].data)
        self._buffer += data
        start, there = 0, len(self._buffer)
        while (head := read_head(self._buffer, start)) is not None:
            end = start + head.size
            if end > there and head.size <= self._limit:
                break
            pieces.append(Piece(bytes(self._buffer[start:end]), begins=True))
            self._left = max(0, end - there)
            start = min(end, there)
        del self._buffer[:start]
        return pieces

    def flush(self) -> bytes:
        """What is left of a frame that was not completed."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest
