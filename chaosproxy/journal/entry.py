"""A record on its way to those who write or read it."""

from __future__ import annotations

from typing import Any, Self

from chaosproxy.events import Exchange
from chaosproxy.journal.records import AnyRecord, from_values, to_values, values_line


class Entry:
    """One record, as a line and as an object; each is made when it is first asked for, and only once.

    ``values`` are the record's fields by name, its type among them, those with their default value left out.
    ``exchange`` are the facts that it is about, where they are at hand; they are never written.
    """

    __slots__ = ("_line", "_record", "_values", "exchange")

    def __init__(self, values: dict[str, Any], exchange: Exchange | None = None) -> None:
        self.exchange = exchange
        self._values = values
        self._line: bytes | None = None
        self._record: AnyRecord | None = None

    @classmethod
    def of(cls, record: AnyRecord) -> Self:
        """The entry of a record that is an object already."""
        entry = cls(to_values(record))
        entry._record = record
        return entry

    @property
    def line(self) -> bytes:
        """As ``records.to_line`` writes it."""
        if self._line is None:
            self._line = values_line(self._values)
        return self._line

    @property
    def record(self) -> AnyRecord:
        """The validated object."""
        if self._record is None:
            self._record = from_values(self._values)
        return self._record

    def get(self, name: str) -> Any:
        """One field as it stands in the line; None when it has its default value."""
        return self._values.get(name)

    @property
    def at(self) -> float | None:
        """When it happened, if the record has one such moment."""
        return self._values.get("at")
