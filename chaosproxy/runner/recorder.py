"""Gathers the records of all processes of a run: one file per process while it runs, one merged journal at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from chaosproxy.journal.reading import Journal, merge
from chaosproxy.journal.records import AnyRecord, to_line


class Recorder:
    """Writes records as they come and keeps them for the checks of the running experiment."""

    def __init__(self, directory: Path, on_record: Callable[[AnyRecord], None]) -> None:
        self._directory = directory
        self._on_record = on_record
        self._files: dict[str, BinaryIO] = {}
        self._by_source: dict[str, list[AnyRecord]] = {}
        self.records: list[AnyRecord] = []

    def add(self, source: str, record: AnyRecord) -> None:
        """Keep a record of the process ``source``. The line is on disk (not synced) when this returns."""
        if source not in self._files:
            self._files[source] = (self._directory / f"{source}.ndjson").open("wb")
        self._files[source].write(to_line(record))
        self._files[source].flush()
        self._by_source.setdefault(source, []).append(record)
        self.records.append(record)
        self._on_record(record)

    def write_journal(self) -> tuple[Journal, Path]:
        """Merge all files into journal.jsonl and remove them."""
        journal = merge(Journal(tuple(records)) for records in self._by_source.values())
        path = self._directory / "journal.jsonl"
        with path.open("wb") as out:
            out.writelines(map(to_line, journal.records))
        for source, file in self._files.items():
            file.close()
            (self._directory / f"{source}.ndjson").unlink()
        self._files.clear()
        return journal, path
