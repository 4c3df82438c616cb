"""Where a report's facts come from: a run's folder or a journal, and the verdict that lies beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from pydantic import ValidationError

from chaosproxy.errors import JournalBroken, UserError
from chaosproxy.journal.reading import Journal, RecordStream
from chaosproxy.journal.records import AnyRecord, Run
from chaosproxy.report.comparison import Comparison, compare
from chaosproxy.report.facts.clients import ClientJudge
from chaosproxy.report.facts.gather import gather
from chaosproxy.report.facts.outline import Outline, outline_of, outline_of_lines
from chaosproxy.report.facts.quick import quick_reader
from chaosproxy.report.mock_live import MockAndLive, is_counterpart, mock_and_live, variables_of
from chaosproxy.report.page.render import report_html
from chaosproxy.steady_state.client_call import client_call
from chaosproxy.steady_state.client_findings import ClientFinding
from chaosproxy.steady_state.client_verdicts import judge_call
from chaosproxy.steady_state.cohorts import ControlCohort
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.history import Story
from chaosproxy.steady_state.observation import State

NEIGHBOURS_MAX = 200
"""As many of the newest runs beside this one are looked at for the last held one."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known beside a run's journal: its judgement, other runs of the experiment, and whom faults were not for.

    ``control`` says by the run which calls belong to the control cohort; None: none do, or nobody knows.
    """

    verdict: Verdict | None = None
    comparison: Comparison | None = None
    pair: MockAndLive | None = None
    control: Callable[[Run], ControlCohort | None] = lambda _: None


def page_of_file(path: Path, beside: Beside) -> str:
    """The page of a journal of any size: it is read twice and never held as a whole.

    Raises JournalBroken, UserError.
    """
    with _opened(path) as lines:
        outline = outline_of_lines(lines)
    verdict = beside.verdict
    if verdict is not None and (outline.run is None or outline.run.id != verdict.run_id):  # of another run
        beside = Beside(control=beside.control)
    with _opened(path) as lines:
        records = RecordStream(lines) if outline.watches else RecordStream(lines, quick_reader())
        try:
            return _page(outline, records, beside)
        except JournalBroken as error:
            raise JournalBroken(f"{path}: {error}") from None


def page_of_journal(journal: Journal, beside: Beside) -> str:
    """The page of a journal that is in memory."""
    return _page(outline_of(journal), journal.records, beside)


def _page(outline: Outline, records: Iterable[AnyRecord], beside: Beside) -> str:
    cohort = None if outline.run is None else beside.control(outline.run)
    facts = gather(
        outline,
        records,
        beside.verdict,
        judge=_client_judge(outline),
        spared=lambda story: cohort is not None and cohort.holds(story.call),
    )
    return report_html(outline, facts, beside.verdict, beside.comparison, beside.pair)


def _client_judge(outline: Outline) -> ClientJudge:
    types = {(name, edge.fault): edge.fault_type for edge in outline.edges for name in edge.listeners}

    def judge(story: Story) -> tuple[ClientFinding, ...]:
        return judge_call(client_call(story, types, outline.last_at)).findings

    return judge


def _opened(path: Path) -> _Lines:
    try:
        return _Lines(path)
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None


class _Lines:
    """The lines of a file, open for as long as they are read."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def __enter__(self) -> Iterator[bytes]:
        return iter(self._file)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_verdict(run: Path) -> Verdict:
    """The report.json of a run, by its folder or as a file. Raises UserError."""
    path = run / "report.json" if run.is_dir() else run
    try:
        return Verdict.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: not the report.json of a run: {place}: {first['msg']}") from None


def verdict_beside(journal: Path) -> Verdict | None:
    """The verdict in the folder of a journal, if there is one; whether it is of that run is seen when it is read."""
    path = journal.parent / "report.json"
    return read_verdict(path) if path.exists() else None


class _Sign(msgspec.Struct):
    """What tells whose report.json it is."""

    name: str
    verdict: str
    run_id: str | None = None
    answered_by: str | None = None
    replay: str | None = None


def last_held(directory: Path, verdict: Verdict) -> Comparison | None:
    """How this run differs from the newest one of its name beside it that held; None without one."""
    other = _newest(directory, verdict, lambda sign: sign.verdict == State.HELD)
    return None if other is None else compare(other, verdict)


def last_counterpart(directory: Path, verdict: Verdict) -> MockAndLive | None:
    """A run on mocks and the newest one of its name beside it on live backends, or the other way round.

    One with the same variables comes before newer ones.
    """

    def fits(sign: _Sign) -> bool:
        return is_counterpart(verdict, sign.answered_by)

    mine = variables_of(verdict.replay)
    like = _newest(directory, verdict, lambda sign: fits(sign) and variables_of(sign.replay) == mine)
    other = like or _newest(directory, verdict, fits)
    return None if other is None else mock_and_live(other, verdict)


def _newest(directory: Path, verdict: Verdict, fits: Callable[[_Sign], bool]) -> Verdict | None:
    """The verdict of the newest other run of that name in the folder that this run's is in."""
    here = directory.resolve()
    try:
        found = [path for path in here.parent.glob("*/report.json") if path.parent != here]
        newest = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:  # somebody is cleaning up
        return None
    for path in newest[:NEIGHBOURS_MAX]:
        try:
            sign = msgspec.json.decode(path.read_bytes(), type=_Sign)
            if sign.name == verdict.name and sign.run_id != verdict.run_id and fits(sign):
                return read_verdict(path)
        except (OSError, ValueError, UserError):  # not of a run, of another version, or gone
            continue
    return None
