"""A body without frames: every piece is passed on as it came."""

from __future__ import annotations

import re

PAYLOAD = re.compile(rb"\A(.+)", re.DOTALL)
"""All of a piece."""


class RawSplitter:
    """Makes each piece a frame, so that nothing ever waits."""

    def copy(self) -> RawSplitter:
        """One more: it knows nothing."""
        return RawSplitter()

    @property
    def pending(self) -> int:
        """Always 0."""
        return 0

    def feed(self, data: bytes) -> list[bytes]:
        """``data`` itself."""
        return [data] if data else []

    def skip(self, frame: bytes) -> bool:
        """Always."""
        del frame
        return True

    def flush(self) -> bytes:
        """Always empty."""
        return b""
