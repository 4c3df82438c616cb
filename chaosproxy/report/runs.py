"""The runs in a folder: what each was, and which may be removed.

A run is a folder with a journal that a runner opened. It is removed only when it holds nothing but what runs write,
and when its runner is known to have ended.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from chaosproxy.journal.records import AnyRecord, Ended, Opened, Run, from_line
from chaosproxy.report.console import ENDS
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.series import Series
from chaosproxy.units import format_duration

OURS = ("journal.jsonl", "report.*", "junit.xml", "*.ndjson", "*.log", "proxies.yaml", "token")
"""Names of what a run writes into its folder."""
SUMMARY = frozenset({"summary.json", "junit.xml"})
STRANGE_HOST_S = 86_400.0
"""A run of another host counts as under way until nothing has been written for so long."""
OPENING_LINES = 24
"""The opening record of each process and that of the run come first in a journal; there are not so many processes."""
_SERIES = re.compile(r"series-\d{8}-\d{6}-[0-9a-f]{6}")


class RunInfo(BaseModel):
    """One run, as `chaosproxy runs` shows it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    directory: str
    name: str
    started: datetime
    verdict: str
    """held, deviated, inconclusive, aborted, error, interrupted, terminated, running, killed (it has no end) or unknown
    (it has no report)."""
    seed: int
    duration_s: float | None
    """From the opening of the journal to its end; None while there is no end."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder that was to be removed and was not, and why."""

    directory: str
    why: str


def list_runs(folder: Path, now_s: float) -> list[RunInfo]:
    """The runs right inside ``folder``, newest first. ``now_s`` is wall time, seconds since the epoch."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    runs = [run for each in inside if (run := _looked_at(each, now_s)) is not None]
    return sorted(runs, key=lambda run: run.started, reverse=True)


def remove_runs(runs: Iterable[RunInfo]) -> tuple[list[str], list[Kept]]:
    """Remove their folders, and summaries of which no run is left; what was removed, and what was not."""
    removed: list[str] = []
    kept: list[Kept] = []
    parents: dict[Path, None] = {}
    for run in runs:
        path = Path(run.directory)
        if why := _why_not(path, run) or _remove(path):
            kept.append(Kept(run.directory, why))
            continue
        removed.append(run.directory)
        parents[path.parent] = None
    for parent in parents:
        removed += _remove_summaries(parent)
    return removed, kept


def _why_not(path: Path, run: RunInfo) -> str:
    if run.verdict == "running":
        return "it is under way"
    strange = [each.name for each in path.iterdir() if not _ours(each)]
    return f"it holds what no run writes: {', '.join(sorted(strange))}" if strange else ""


def _ours(path: Path) -> bool:
    return not path.is_symlink() and path.is_file() and any(fnmatchcase(path.name, glob) for glob in OURS)


def _remove(path: Path) -> str:
    """File by file, the journal last: what makes it a run goes when nothing else is left. Why it failed, or nothing."""
    try:
        for each in sorted(path.iterdir(), key=lambda each: each.suffix in (".jsonl", ".ndjson")):
            each.unlink()
        path.rmdir()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def _remove_summaries(parent: Path) -> Iterator[str]:
    for path in sorted(parent.iterdir()):
        if _SERIES.fullmatch(path.name) and path.is_dir() and not path.is_symlink() and _outlived(path):
            for name in SUMMARY:
                (path / name).unlink(missing_ok=True)
            path.rmdir()
            yield str(path)


def _outlived(path: Path) -> bool:
    """Whether a summary, and nothing else, is there, and none of its runs is."""
    if {each.name for each in path.iterdir()} != SUMMARY:
        return False
    try:
        series = Series.model_validate_json((path / "summary.json").read_text("utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return False
    runs = [run for cell in series.cells for run in cell.runs]
    return not any(Path(run.directory).exists() or (path.parent / run.run_id).exists() for run in runs)


def _looked_at(path: Path, now_s: float) -> RunInfo | None:
    """A run, or nothing: what we may not read is not ours, and another prune may be faster than we are."""
    try:
        return _run(path, now_s)
    except OSError:
        return None


def _run(path: Path, now_s: float) -> RunInfo | None:
    """What is known of a folder, if it is one of a run."""
    if path.is_symlink() or not path.is_dir():
        return None
    journal, pieces = path / "journal.jsonl", path / "runner.ndjson"
    source = journal if journal.is_file() else pieces
    opening = list(_first_records(source))
    opened = next((record for record in opening if isinstance(record, Opened) and record.process == "runner"), None)
    run = next((record for record in opening if isinstance(record, Run)), None)
    if opened is None or run is None:
        return None
    ended = _ended(source)
    report = _report(path / "report.json")
    done = ended is not None and source is journal
    return RunInfo(
        directory=str(path),
        name=run.name,
        started=datetime.fromtimestamp(opened.wall, UTC),
        verdict=_verdict(report, ended, running=not (done and report) and _lives(opened, path, now_s)),
        seed=run.seed,
        duration_s=None if ended is None else ended.at - opened.mono,
    )


def _verdict(report: Verdict | None, ended: Ended | None, *, running: bool) -> str:
    if running:
        return "running"
    if report is not None:
        return ENDS.get(report.exit_code, report.verdict.value).lower()
    return "killed" if ended is None else "unknown"


def _lives(opened: Opened, path: Path, now_s: float) -> bool:
    """Whether its runner may still be at work; of another host only its files can tell."""
    if opened.host != socket.gethostname():
        return now_s - max(each.stat().st_mtime for each in path.iterdir()) < STRANGE_HOST_S
    try:
        os.kill(opened.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _first_records(path: Path) -> Iterator[AnyRecord]:
    if path.is_symlink() or not path.is_file():
        return
    with path.open("rb") as lines:
        first = [line for line, _ in zip(lines, range(OPENING_LINES), strict=False)]
    for line in first:
        if record := _read(line):
            yield record


def _ended(path: Path) -> Ended | None:
    """The last of its kind among the last lines."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_536))
        lines = file.read().splitlines()
    return next((record for line in reversed(lines) if isinstance(record := _read(line), Ended)), None)


def _read(line: bytes) -> AnyRecord | None:
    try:
        return from_line(line.decode())
    except ValueError:  # ValidationError, UnicodeDecodeError: not a line of a journal, or half of one
        return None


def _report(path: Path) -> Verdict | None:
    try:
        return Verdict.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def runs_text(runs: Iterable[RunInfo]) -> str:
    """A line for each."""
    rows = [("started (UTC)", "name", "verdict", "seed", "took", "folder")]
    rows += [
        (
            f"{run.started:%Y-%m-%d %H:%M:%S}",
            run.name,
            run.verdict,
            str(run.seed),
            "" if run.duration_s is None else format_duration(round(run.duration_s, 1)),
            run.directory,
        )
        for run in runs
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def to_prune(runs: list[RunInfo], *, keep: int | None, older_than_s: float | None, now_s: float) -> list[RunInfo]:
    """Of runs, newest first: those behind the first ``keep``, and of them only those older than ``older_than_s``."""
    beyond = runs[keep or 0 :]
    if older_than_s is None:
        return beyond
    return [run for run in beyond if now_s - run.started.timestamp() > older_than_s]


def values(runs: Iterable[RunInfo]) -> list[Mapping[str, object]]:
    """The same for programs."""
    return [run.model_dump(mode="json") for run in runs]
