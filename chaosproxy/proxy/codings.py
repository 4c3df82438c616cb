"""Content codings that can be taken off a body (RFC 9110, 8.4.1): gzip, deflate, and br where its library is there."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final, Protocol

PIECE_BYTES: Final = 64 * 1024
"""As much is unpacked at a time; a Brotli piece may be somewhat larger."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_BROTLI_MODULES: Final = ("brotli", "brotlicffi")


class Malformed(Exception):
    """The body is not what its coding says."""


class Unpacker(Protocol):
    """One body on its way out of its coding."""

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes of it hold, in pieces of a bounded size. Raises Malformed."""

    def complete(self) -> bool:
        """Whether it has come to its end."""


class Gzip:
    """A gzip body may have several members, one after the other (RFC 1952, 2.2)."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP)

    def unpack(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflater.eof:
                self._inflater = zlib.decompressobj(_GZIP)
            if piece := _inflated(self._inflater, data):
                yield piece
            data = self._inflater.unconsumed_tail or self._inflater.unused_data

    def complete(self) -> bool:
        return self._inflater.eof


class Deflate:
    """The zlib format (RFC 1950), or the bare deflate data that some servers send under the same name."""

    def __init__(self) -> None:
        self._inflater: Any = None  # the first byte tells which of the two it is

    def unpack(self, data: bytes) -> Iterator[bytes]:
        if data and self._inflater is None:
            self._inflater = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        while data:
            if self._inflater.eof:
                raise Malformed
            if piece := _inflated(self._inflater, data):
                yield piece
            data = self._inflater.unconsumed_tail or self._inflater.unused_data

    def complete(self) -> bool:
        return self._inflater is not None and bool(self._inflater.eof)


class Brotli:
    """Brotli (RFC 7932), in one of the two libraries that bound what they unpack at a time."""

    def __init__(self, library: ModuleType) -> None:
        self._error: type[Exception] = library.error
        self._decompressor: Any = library.Decompressor()

    def unpack(self, data: bytes) -> Iterator[bytes]:
        try:
            more = bool(data)
            while more:
                piece: bytes = self._decompressor.process(data, output_buffer_limit=PIECE_BYTES)
                data = b""  # what it has not consumed, it keeps
                if piece:
                    yield piece
                more = bool(piece) and not self._decompressor.is_finished()
        except self._error:
            raise Malformed from None

    def complete(self) -> bool:
        return bool(self._decompressor.is_finished())


def unpacker(coding: str) -> Unpacker | str | None:
    """For a body in this coding; or else the words that say what is missing for it; None for an unknown coding."""
    if coding == "br":
        library = brotli_library()
        return "chaosproxy[br] would unpack it" if library is None else Brotli(library)
    make = _MAKERS.get(coding)
    return None if make is None else make()


_MAKERS: Final[dict[str, Callable[[], Unpacker]]] = {"gzip": Gzip, "x-gzip": Gzip, "deflate": Deflate}


def brotli_library() -> ModuleType | None:
    """The first that can be imported, only when it is needed. Releases before 1.2 cannot bound what they unpack."""
    for name in _BROTLI_MODULES:
        try:
            library = import_module(name)
            library.Decompressor().process(b"", output_buffer_limit=PIECE_BYTES)
        except (ImportError, TypeError):
            continue
        return library
    return None


def _inflated(inflater: Any, data: bytes) -> bytes:
    try:
        return bytes(inflater.decompress(data, PIECE_BYTES))
    except zlib.error:
        raise Malformed from None
