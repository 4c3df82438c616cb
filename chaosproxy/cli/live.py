"""What a person sees while a run goes on: a view that renews itself on a terminal, a line per event elsewhere."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from math import inf

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chaosproxy.experiment.timeline import planned
from chaosproxy.journal.records import AnyRecord, Attached, FaultEdge, GateJudged, Hooked, Mark, Swept
from chaosproxy.journal.traffic import Call, ExchangeRecord, FaultHit, Sent, Underway
from chaosproxy.report.console import QuietConsole
from chaosproxy.runner.order import Order
from chaosproxy.steady_state.claims import Claims
from chaosproxy.steady_state.entry_calls import is_call
from chaosproxy.units import format_duration

RECENT_S = 5.0
"""The span over which the view counts calls."""
REFRESH_PER_S = 4
BAND_CHARS = 40
"""The timeline of the view."""


@contextmanager
def watching(order: Order, *, quiet: bool) -> Iterator[Callable[[AnyRecord], None]]:
    """Show the run on standard error; what it yields takes every record."""
    console = QuietConsole(stderr=True, highlight=False)
    if quiet:
        yield lambda _: None
    elif console.is_terminal and not console.is_dumb_terminal:  # one that cannot move its cursor gets lines
        view = View(order)
        with Live(get_renderable=view.render, console=console, refresh_per_second=REFRESH_PER_S, transient=True):
            yield view.notice
    else:
        yield Log(order, partial(_say, console)).notice


def _say(console: Console, line: str) -> None:
    """Print a line; that nobody reads it any more is no reason to end the run."""
    with suppress(BrokenPipeError):
        console.print(line, markup=False, emoji=False, soft_wrap=True)


class Log:
    """One line per event of the run, for pipes and logs."""

    def __init__(self, order: Order, say: Callable[[str], None]) -> None:
        self._say = say
        self._origin: float | None = None
        self._calls = OpenCalls(order.experiment.claims())
        self._held = "the gate holds" if order.experiment.gate else "the system works, faults may be injected"
        self._words = {
            "warmup": f"warming up for {format_duration(order.experiment.timeline.warmup)}",
            "origin": f"running for {format_duration(order.experiment.timeline.lasts)}",
            "over": "over, waiting for the last calls",
        }
        say(f"{order.experiment.name}: seed {order.seed}, {order.directory}")

    def notice(self, record: AnyRecord) -> None:
        """Say what happened, if it is worth a line."""
        self._calls.notice(record)
        match record:
            case Mark(name="drained"):
                if words := self._calls.words():
                    self._tell(record.at, words)
            case Mark():
                if record.name == "origin":
                    self._origin = record.at
                self._tell(record.at, self._words.get(record.name, record.name))
            case Attached() if record.upstreams:
                self._say(f"  {attached_words(record)}")
            case GateJudged():
                self._tell(record.at, self._held if record.held else f"gate: {'; '.join(record.reasons)}")
            case FaultEdge():
                why = f" ({record.why})" if record.why else ""
                self._tell(record.at, f"{record.fault} {record.edge} on {', '.join(record.listeners)}{why}")
            case Swept():
                self._tell(record.at, f"removed {record.name} from {record.server}: {record.why}")
            case Hooked():
                did = {"do": "done", "undo": "undone"}[record.what] if record.ok else f"{record.what}: {record.detail}"
                self._tell(record.at + record.took_s, f"hook {record.hook} {did}")

    def _tell(self, at: float, words: str) -> None:
        clock = "      " if self._origin is None else f"{at - self._origin:5.1f}s"
        self._say(f"  {clock}  {words}")


class OpenCalls:
    """The calls that have begun and not ended, as far as the records tell."""

    def __init__(self, claims: Claims) -> None:
        self._external, self._entry = claims.external, claims.entry
        self._open: set[str] = set()
        self._ended: set[str] = set()

    def notice(self, record: AnyRecord) -> None:
        """Take a record in."""
        match record:
            case Sent():
                self._open.add(record.id)
            case Call() if record.end_at is not None or record.error is not None:
                self._open.discard(record.id)
            case Underway() if record.listener == self._entry and is_call(record):
                self._open.add(record.id)
            case ExchangeRecord() if self._external:  # whose end may be told before the answer that it is under way
                self._ended.add(record.id)

    def words(self) -> str:
        """How it stands; nothing where nobody sees calls."""
        if self._external and self._entry is None:
            return ""
        count = len(self._open - self._ended)
        return f"{count} call{'s' if count > 1 else ''} had not ended" if count else "all calls have ended"


def attached_words(record: Attached) -> str:
    """What a run drives that it did not start."""
    listeners = ", ".join(f"{name} -> {upstream}" for name, upstream in record.upstreams.items())
    clocks = f"the clocks agree to {record.error_s * 1000:.1f} ms"
    return f"attached to {record.control}: {listeners}; listen and upstream of the file are not used; {clocks}"


class View:
    """The state of a run, drawn anew several times a second: one timeline, with a band for each fault under it.

    ``clock`` is that of the records.
    """

    def __init__(self, order: Order, clock: Callable[[], float] = time.monotonic) -> None:
        self._order = order
        self._clock = clock
        self._spans = {span.fault.id: span for span in planned(order.experiment)}
        self._acted: defaultdict[str, list[list[float]]] = defaultdict(list)
        self._phase = "starting"
        self._origin: float | None = None
        self._hits: Counter[str] = Counter()
        self._edges: dict[str, FaultEdge] = {}
        self._calls: Counter[bool] = Counter()
        self._recent: deque[tuple[float, bool]] = deque()
        self._served: Counter[str] = Counter()
        claims = order.experiment.claims()
        self._entry = claims.entry if claims.external else None
        self._front = claims.front

    def notice(self, record: AnyRecord) -> None:
        """Take a record in."""
        match record:
            case Mark():
                self._phase = {"warmup": "warming up", "origin": "running"}.get(record.name, "finishing")
                self._origin = record.at if record.name == "origin" else self._origin
            case FaultEdge():
                self._edges[record.fault] = record
                self._note(record)
            case FaultHit():
                self._hits[record.fault] += 1
            case Call():
                self._count(fine=record.error is None and record.status == 200)
            case ExchangeRecord():
                fine = record.sent.status == 200 and record.sent.ended == "end"
                if record.listener == self._entry and is_call(record):
                    self._count(fine=fine)
                if fine and record.listener != self._front:
                    self._served[record.listener] += 1

    def _count(self, *, fine: bool) -> None:
        self._calls[fine] += 1
        self._recent.append((self._clock(), fine))

    def render(self) -> RenderableType:
        """The view as it is now."""
        timeline = self._order.experiment.timeline
        passed_s = 0.0 if self._origin is None else min(self._clock() - self._origin, timeline.lasts)
        rows = Table.grid(padding=(0, 2))
        rows.add_row(
            Text(self._order.experiment.name, "bold"),
            ProgressBar(total=timeline.lasts, completed=passed_s, width=BAND_CHARS),
            Text(self._phase),
            Text(f"{passed_s:4.1f} of {format_duration(timeline.lasts)}"),
        )
        for fault in self._order.experiment.faults:
            edge = self._edges.get(fault.id)
            state, style = ("planned", "dim") if edge is None else (edge.edge, "red" if edge.edge in _ACTS else "green")
            band = Text(self._band(fault.id, passed_s), style)
            rows.add_row(f"  {fault.id}", band, Text(state, style), f"{self._hits[fault.id]} hits")
        return Group(rows, self._call_line())

    def _note(self, edge: FaultEdge) -> None:
        acted = self._acted[edge.fault]
        if edge.edge in _ACTS:
            acted.append([edge.at, inf])
        elif acted:
            acted[-1][1] = min(acted[-1][1], edge.at)

    def _band(self, fault: str, passed_s: float) -> str:
        """``-`` where it is planned, ``#`` where it acted, ``|`` now."""
        lasts_s = self._order.experiment.timeline.lasts
        band, span = ["."] * BAND_CHARS, self._spans.get(fault)

        def paint(from_s: float, to_s: float, mark: str) -> None:
            first = min(BAND_CHARS - 1, max(0, int(from_s / lasts_s * BAND_CHARS)))
            last = max(first + 1, min(BAND_CHARS, round(to_s / lasts_s * BAND_CHARS)))
            band[first:last] = mark * (last - first)

        if span is not None:
            paint(span.at_s, span.end_s, "-")
        if self._origin is not None:
            for began_at, ended_at in self._acted[fault]:
                paint(began_at - self._origin, min(ended_at - self._origin, passed_s), "#")
            band[min(BAND_CHARS - 1, int(passed_s / lasts_s * BAND_CHARS))] = "|"
        return "".join(band)

    def _call_line(self) -> Text:
        while self._recent and self._recent[0][0] < self._clock() - RECENT_S:
            self._recent.popleft()
        fine = sum(fine for _, fine in self._recent)
        served = "  ".join(f"{name} {count}" for name, count in sorted(self._served.items()))
        return Text(
            f"   calls {self._calls.total()}: {self._calls[True]} answered, {self._calls[False]} failed"
            f"   last {RECENT_S:g} s: {fine} of {len(self._recent)}   served: {served}"
        )


_ACTS = ("applied", "flap_down")
