"""``where`` inside a stream: a gap between frames, or the frame that it names.

    event:0      event:1         token:1   token:2          before_terminal   after_terminal
       |  opening   |               |         |                    |   [DONE]       |
    ---+------------+----- hello ---+--- wor -+-- ld --- finish ---+----------------+---

``token:0`` is the gap before the first content; ``byte:N`` lies inside a frame, after N bytes of the body;
``percent:P`` is ``byte`` once the length of the body is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from chaosproxy.errors import BadValue
from chaosproxy.events import TOKEN, Frame, Kind, Seen

_COUNTED = re.compile(r"(event|token|byte):(\d+)")
_PERCENT = re.compile(r"percent:(\d+(?:\.\d+)?)")
_NAMED = {"first_event": ("event", 1), "before_terminal": ("before_terminal", 0), "after_terminal": ("after_terminal", 0)}
_ALLOWED = "event:N, token:N, byte:N, percent:P, first_event, before_terminal or after_terminal"


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a stream: ``unit`` is event, token, byte, percent, before_terminal or after_terminal."""

    unit: str
    count: float

    @classmethod
    def parse(cls, text: str) -> Where:
        """Read the user's spelling. Raises BadValue with the allowed ones."""
        if text in _NAMED:
            return cls(*_NAMED[text])
        if match := _COUNTED.fullmatch(text):
            return cls(match[1], int(match[2]))
        if (match := _PERCENT.fullmatch(text)) and float(match[1]) <= 100:
            return cls("percent", float(match[1]))
        if text.startswith("message:"):
            raise BadValue("message:N is for WebSocket faults, which do not exist yet")
        raise BadValue(f"expected {_ALLOWED}, got {text!r}")

    def __str__(self) -> str:
        return self.unit if self.unit.endswith("terminal") else f"{self.unit}:{self.count:g}"

    @property
    def needs_frames(self) -> bool:
        """Whether the place exists only in a stream of events."""
        return self.unit not in ("byte", "percent")

    def words(self) -> str:
        """For sentences: "token 5", "byte 120", "the terminal event"."""
        if self.unit.endswith("terminal"):
            return "the terminal event"
        return f"{self.count:g} % of the body" if self.unit == "percent" else f"{self.unit} {self.count:g}"


def _read(value: Any) -> Any:
    return Where.parse(value) if isinstance(value, str) else value


WhereSetting = Annotated[
    Where,
    BeforeValidator(_read),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["token:5", "before_terminal", "byte:100"]}),
]


class Gap:
    """Finds the gap of a Where while frames pass: tells, once, how many bytes of a frame lie before it."""

    def __init__(self, where: Where, seen: Seen) -> None:
        self._where = where
        self._seen = {"event": seen.events, "token": seen.tokens, "byte": seen.bytes}.get(where.unit, 0)
        self.found = False
        self.passed = 0 < self._seen >= where.count
        """The stream was already beyond this place when the fault came."""

    def length_known(self, body_length: int) -> None:
        """Turn a percentage into bytes; called when the head tells the length of the body."""
        if self._where.unit == "percent":
            self._where = Where("byte", int(body_length * self._where.count / 100))

    def split(self, frame: Frame) -> int | None:
        """Bytes of ``frame`` before the gap (0 .. its length), or None when the gap is not in or beside it."""
        offset = None if self.found else self._offset(frame)
        self.found = self.found or offset is not None
        return offset

    def _offset(self, frame: Frame) -> int | None:
        unit, count, size = self._where.unit, self._where.count, len(frame.data)
        if unit == "byte":
            start, self._seen = self._seen, self._seen + size
            return int(count) - start if count <= self._seen else None
        if unit.endswith("terminal"):
            if not frame.kind & Kind.TERMINAL:
                return None
            return 0 if unit == "before_terminal" else size
        if unit == "percent" or (unit == "token" and not frame.kind & TOKEN):
            return None
        self._seen += 1
        if count == 0:
            return 0
        return size if self._seen == count else None

    def names(self, frame: Frame) -> bool:
        """Whether this is the frame that the Where names (``token:3``: the third one), for faults that edit a frame."""
        offset = self.split(frame)
        return offset is not None and (offset > 0 or self._where.count == 0 or self._where.unit == "before_terminal")
