"""stream.chunk_size: a chunk whose size is no number."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import Field

from chaosproxy.events import Exchange, Frame, Hit, Outgoing, Unframed
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import AtPlace, chunked, keep, lacks_place, split_frame
from chaosproxy.faults.where import Where, WhereSetting


class StreamChunkSize(Fault):
    """Send a malformed chunk-size line (RFC 9112, 7.1); the stream goes on after it, and the connection closes.

    aiohttp's C parser neither raises nor ends (aio-libs/aiohttp#10596), so everything built on it hangs.
    """

    type: ClassVar[str] = "stream.chunk_size"
    room: ClassVar[Room] = Room.FRAMING
    symptom: ClassVar[str] = (
        "the answer stops in the middle with a protocol error (invalid chunk size); LiteLLM hangs instead"
    )
    timeline: ClassVar[str] = "upstream  h f f f f f end\nclient    h f f zz f f f end"
    no_neutral: ClassVar[str | None] = "a malformed line is never part of a whole body"

    where: WhereSetting = Where("token", 5)
    """The malformed line comes here."""
    text: Annotated[str, Field(min_length=1, pattern=r"^[^\r\n]*$")] = "zz"
    """What stands in place of the hexadecimal size."""

    @property
    def edits_frames(self) -> bool:
        """Bytes can be counted in a compressed body, too."""
        return self.where.needs_frames

    def lacks(self, exchange: Exchange) -> str | None:
        """A place between events needs events."""
        return lacks_place(self.where, exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        return AtPlace(self.where, exchange, self._garble, after=keep, reframe=chunked)

    def _garble(self, frame: Frame, before: int) -> Sequence[Outgoing]:
        first, rest = split_frame(frame, before)
        line = Unframed(frame.at, self.text.encode() + b"\r\n")
        return [*first, Hit(frame.at, f"malformed chunk size {self.where.place()}"), line, *rest]
