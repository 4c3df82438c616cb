"""Lines back to records. A torn last line is what a killed writer leaves; any other damage is an error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from chaosproxy.errors import JournalBroken
from chaosproxy.journal.records import (
    VERSION,
    AnyRecord,
    Call,
    ConnectionRecord,
    ExchangeRecord,
    Opened,
    Run,
    Sent,
    from_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise JournalBroken("not a journal: it is empty")
    _check_first(numbered[0][1])
    records: list[AnyRecord] = []
    for number, line in numbered:
        try:
            records.append(_read(line))
        except ValidationError as error:
            if number == numbered[-1][0] and not _is_json(line):
                return Journal(tuple(records), torn=True)
            raise JournalBroken(f"line {number}: {_first_reason(error)}") from None
        except _NewerVersion as error:
            raise JournalBroken(f"line {number}: {error}") from None
    return Journal(tuple(records))


def merge(journals: Iterable[Journal]) -> Journal:
    """One journal of several files: the openings, the run, then everything by time; equal times keep their order."""
    journals = list(journals)
    records = sorted((record for journal in journals for record in journal.records), key=_order)
    return Journal(tuple(records), any(journal.torn for journal in journals))


class _NewerVersion(Exception):
    """An opening record of a later format."""


def _read(line: str) -> AnyRecord:
    if '"opened"' in line:
        _check_version(line)
    return from_line(line)


def _check_first(line: str) -> None:
    opening = json.loads(line) if _is_json(line) else None
    if not isinstance(opening, dict) or opening.get("type") != "opened":
        raise JournalBroken("line 1: not a journal: it does not begin with an opening record")


def _check_version(line: str) -> None:
    opening = json.loads(line) if _is_json(line) else None
    version = (
        opening.get("version", VERSION) if isinstance(opening, dict) and opening.get("type") == "opened" else VERSION
    )
    if version != VERSION:
        raise _NewerVersion(f"journal version {version}, this chaosproxy reads version {VERSION}")


def _is_json(line: str) -> bool:
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
