"""Lines back to records. A torn last line is what a killed writer leaves; any other damage is an error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from chaosproxy.errors import JournalBroken
from chaosproxy.journal.records import READABLE, VERSION, AnyRecord, Opened, Run, from_line
from chaosproxy.journal.traffic import Call, ConnectionRecord, ExchangeRecord, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Journal:
    """What was read. ``torn``: the last line was cut, so at least one record is missing."""

    records: tuple[AnyRecord, ...]
    torn: bool = False


def read_journal(lines: Iterable[str]) -> Journal:
    """The records of one file, in its order; blank lines are skipped.

    Raises JournalBroken, with the line number, for what is not a journal, is of a newer version, or is damaged before
    its last line.
    """
    stream = RecordStream(lines)
    return Journal(tuple(stream), stream.torn)


def read_piece(lines: Iterable[str]) -> Journal:
    """The same of a file that another one of its run opens: it begins anywhere, and may be empty or one torn line.

    What a runner hears from a proxy that runs already has no opening record.
    """
    stream = RecordStream(lines, opens=False)
    return Journal(tuple(stream), stream.torn)


class RecordStream:
    """The same, a record at a time, so that a journal may be larger than the memory; it can be read once.

    ``torn`` is known at the end. ``read`` makes records of lines, and raises pydantic's ValidationError. ``opens``: it
    has to begin with an opening record.
    """

    def __init__(
        self,
        lines: Iterable[str | bytes],
        read: Callable[[str | bytes], AnyRecord] = from_line,
        *,
        opens: bool = True,
    ) -> None:
        self._lines, self._read, self._opens = lines, read, opens
        self.torn = False

    def __iter__(self) -> Iterator[AnyRecord]:
        waiting: tuple[int, str | bytes] | None = None
        for number, line in _filled(self._lines):
            if waiting is not None:
                yield self._record(*waiting)
            elif self._opens:
                _check_first(line)
            waiting = (number, line)
        if waiting is None and self._opens:
            raise JournalBroken("not a journal: it is empty")
        if waiting is None:
            return
        if _is_json(waiting[1]):
            yield self._record(*waiting)
        else:
            self.torn = True

    def _record(self, number: int, line: str | bytes) -> AnyRecord:
        try:
            if b'"opened"' in line if isinstance(line, bytes) else '"opened"' in line:
                _check_version(line)
            return self._read(line)
        except ValidationError as error:
            raise JournalBroken(f"line {number}: {_first_reason(error)}") from None
        except _NewerVersion as error:
            raise JournalBroken(f"line {number}: {error}") from None


def _filled(lines: Iterable[str | bytes]) -> Iterator[tuple[int, str | bytes]]:
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def merge(journals: Iterable[Journal]) -> Journal:
    """One journal of several files: the openings, the run, then everything by time; equal times keep their order."""
    journals = list(journals)
    records = sorted((record for journal in journals for record in journal.records), key=_order)
    return Journal(tuple(records), any(journal.torn for journal in journals))


class _NewerVersion(Exception):
    """An opening record of a later format."""


def _check_first(line: str | bytes) -> None:
    opening = json.loads(line) if _is_json(line) else None
    if not isinstance(opening, dict) or opening.get("type") != "opened":
        raise JournalBroken("line 1: not a journal: it does not begin with an opening record")


def _check_version(line: str | bytes) -> None:
    opening = json.loads(line) if _is_json(line) else None
    version = opening.get("version", 1) if isinstance(opening, dict) and opening.get("type") == "opened" else VERSION
    if version not in READABLE:
        raise _NewerVersion(f"journal version {version}, this chaosproxy reads versions 1 to {VERSION}")


def _is_json(line: str | bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _first_reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"not a record: {place}: {first['msg']}" if place else f"not a record: {first['msg']}"


def _order(record: AnyRecord) -> tuple[int, float]:
    match record:
        case Opened():
            return 0, record.mono
        case Run():
            return 1, 0.0
        case ExchangeRecord() | ConnectionRecord():
            return 2, record.began_at
        case Sent() | Call():
            return 2, record.intended_at
        case _:
            return 2, record.at
