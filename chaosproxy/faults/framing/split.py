"""sse.split: one event becomes two, or one in several lines."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosproxy.events import Exchange, Frame
from chaosproxy.faults.framing.spoilt_event import SpoiltEvent
from chaosproxy.faults.stages import lacks_event_stream
from chaosproxy.faults.where import Where, WhereSetting
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.editing import payload_span, with_payload


class SseSplit(SpoiltEvent):
    """Put a stray blank line into the JSON of an event, or spread it over several data lines."""

    type: ClassVar[str] = "sse.split"
    symptom: ClassVar[str] = (
        "a JSON decode error in mid-stream; with data_lines nothing, because a client must join the lines"
    )
    timeline: ClassVar[str] = "upstream  h f f f f end\nclient    h f ~ ~ f f end"
    no_neutral: ClassVar[str | None] = "each mode changes the lines; a place that is never reached is a miss"

    where: WhereSetting = Where("token", 5)
    """The event that is split."""
    mode: Literal["blank_line", "data_lines"] = "blank_line"
    """blank_line: the event ends in the middle of its JSON, and the rest follows as a line of its own; data_lines: the
    JSON goes on in a second data line, which is a correct event."""

    def lacks(self, exchange: Exchange) -> str | None:
        """Only server-sent events have data lines."""
        return lacks_event_stream(exchange)

    def _spoilt(self, spoken: Dialect, frame: Frame) -> tuple[bytes, str]:
        data = frame.data
        span = payload_span(spoken, data)
        if span is None or span[1] - span[0] < 2:
            return data, "has no payload to split"
        payload = data[slice(*span)]
        if self.mode == "blank_line":
            half = len(payload) // 2
            return with_payload(data, span, payload[:half] + b"\n\n" + payload[half:]), "split by a blank line"
        comma = _between_members(payload)
        if comma is None:
            return data, "has no place for a line break in its JSON"
        return with_payload(data, span, payload[:comma] + b"\ndata: " + payload[comma:]), "split over two data lines"


def _between_members(payload: bytes) -> int | None:
    """A place behind a comma between two members, outside of any string, as near to the middle as possible."""
    places: list[int] = []
    in_string = escaped = False
    for index, byte in enumerate(payload):
        if escaped:
            escaped = False
        elif in_string and byte == 0x5C:
            escaped = True
        elif byte == 0x22:
            in_string = not in_string
        elif byte == 0x2C and not in_string:
            places.append(index + 1)
    return min(places, key=lambda place: abs(place - len(payload) // 2), default=None)
