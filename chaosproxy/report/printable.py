"""Words of others on a terminal: what a client or an upstream sent must not move its cursor or paint over our lines."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_KEPT = "\n\t"
_C0 = range(0x20)
_C1 = range(0x80, 0xA0)
_DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
"""Marks that turn the direction of text, so that it reads as what it is not."""
_LINE_ENDS = (0x2028, 0x2029)
_PICTURES = 0x2400
"""Where Unicode keeps the pictures of control characters: the one of ESC is at 0x241B."""
_SHOWN = {
    **{code: _PICTURES + code for code in _C0 if chr(code) not in _KEPT},
    0x7F: 0x2421,
    **dict.fromkeys((*_C1, *_DIRECTIONS, *_LINE_ENDS), 0xFFFD),
}


def printable(text: str) -> str:
    """The text with pictures of its control characters; line ends and tabs stay."""
    return text.translate(_SHOWN)


class SafeConsole(Console):
    """Writes no control character but its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does, with the texts made printable."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)
