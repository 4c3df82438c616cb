"""What the load says of its calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from msgspec.json import decode

HUNG = "hung"


@dataclass(slots=True)
class Calls:
    """Counted from the lines that a load prints."""

    sent: int = 0
    dropped: int = 0
    """Not sent, because as many streams were open as may be."""
    ended: Counter[str] = field(default_factory=Counter)
    """By how: ok, or the kind of the error."""
    open: int = 0
    open_most: int = 0

    def add(self, line: str) -> None:
        """Take in one line."""
        record = decode(line)
        match record.get("type"):
            case "sent":
                self.sent += 1
                self.open += 1
                self.open_most = max(self.open_most, self.open)
            case "call" if record.get("dropped"):
                self.dropped += 1
            case "call":
                self.open -= 1
                self.ended[(record.get("error") or {}).get("kind", "ok")] += 1

    @property
    def stuck(self) -> int:
        """Calls that something kept alive without an end, or that have none."""
        return self.ended[HUNG] + self.open
