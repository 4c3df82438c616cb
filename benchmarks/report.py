"""How long a report takes, how much memory, and how long a browser needs to show it: `python -m benchmarks.report`.

A journal of 10,000 calls is what most runs have at most; one of 1 GB (BYTES) must still be read in bounded memory.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.records import VERSION, AnyRecord, Ended, FaultEdge, Mark, Opened, Run, to_line
from chaosproxy.journal.traffic import Call, CallError, Edge, ExchangeRecord, FaultHit, Lag, Sent

RATE = 50.0
"""Calls per second."""
BARS = {
    "seconds of 10,000 calls": 3.0,
    "seconds of a gigabyte": 60.0,
    "MB of a gigabyte": 300.0,
    "seconds in a browser": 2.0,
}
_TEXT = "The quick brown fox jumps over the lazy dog and rests in the shade of an old oak tree, for hours. " * 2
_ORIGIN = 1000.0
_ID = "cp-0badf0-{number}"


def frame(lasts_s: float) -> tuple[list[AnyRecord], list[AnyRecord]]:
    """What opens and what ends the journal of a run in which the primary is dark for its middle third."""
    run = Run(id="bench", name="bench", seed=1, nonce="0badf0", file="bench.yaml", file_sha256="0")
    opened = Opened(version=VERSION, process="runner", host="h", pid=1, mono=_ORIGIN - 2, wall=1.7e9, chaosproxy="0")
    marks = [Mark(name="warmup", at=_ORIGIN - 2), Mark(name="origin", at=_ORIGIN)]
    over: list[AnyRecord] = [Mark(name="over", at=_ORIGIN + lasts_s), Ended(at=_ORIGIN + lasts_s + 1, how="completed")]
    return [opened, run, *marks], over


class Writer:
    """Lines of calls, made from one of each kind by replacing its numbers: a gigabyte of models would take an hour."""

    def __init__(self, lasts_s: float) -> None:
        self._dark = (_ORIGIN + lasts_s / 3, _ORIGIN + 2 * lasts_s / 3)
        self._chance = random.Random(1)
        text = fingerprint(_TEXT)
        edge = Edge(status=200, head_at=1.0, first_content_at=2.0, end_at=3.0, ended="end", events=44, tokens=40)
        edge = edge.model_copy(update={"bytes": 9_312, "terminal": True, "finish": "stop", "text": text})
        about: dict[str, Any] = {
            "method": "POST",
            "path": "/v1/chat/completions",
            "dialect": "openai.chat",
            "model": "m",
            "stream": True,
        }
        self._exchange = ExchangeRecord(
            id="x",
            listener="l",
            ordinal=1,
            call="c",
            attempt=1,
            began_at=0.5,
            asked_at=0.6,
            received=edge,
            sent=edge,
            **about,
        )
        facts: dict[str, Any] = {"load": "chat", "number": 1, "api": "openai.chat", "stream": True, "model": "m"}
        self._sent = Sent(id="c", intended_at=0.5, sent_at=0.5, **facts)
        self._call = Call(
            id="c", intended_at=0.5, sent_at=0.5, head_at=1.0, first_content_at=2.0, last_content_at=3.0, end_at=3.0,
            status=200, finish="stop", terminal=True, chunks=40, gaps_ms=[20] * 39, text=text, expected=text,
            kept_chars=text.chars, output_tokens=40, expected_tokens=40, **facts,
        )  # fmt: skip

    def call(self, number: int, at: float) -> bytes:
        """One call: of the primary, or after a failed try there of the secondary, one in twenty with an error."""
        name = _ID.format(number=number)
        dark = self._dark[0] <= at < self._dark[1]
        begin, lasts = at + (1.0 if dark else 0.0), self._chance.uniform(0.8, 1.3)
        failed = dark and self._chance.random() < 0.05
        ends = {"first_content_at": begin + 0.2, "last_content_at": begin + lasts, "end_at": begin + lasts}
        error = {"error": CallError(kind="event", message="server_error"), "terminal": False} if failed else {}
        gaps = [max(int(self._chance.gauss(20, 5)), 0) for _ in range(39)]
        call = {"id": name, "number": number, "intended_at": at, "sent_at": at, "gaps_ms": gaps, **ends, **error}
        lines = [to_line(self._sent.model_copy(update={"id": name, "intended_at": at, "sent_at": at}))]
        lines.append(to_line(self._call.model_copy(update=call)))
        if dark:
            silent = Edge(end_at=at + 1, ended="gone")
            tried = {"id": f"primary-{number}", "listener": "primary", "call": name, "began_at": at, "asked_at": None}
            lines.append(to_line(self._exchange.model_copy(update={**tried, "received": Edge(), "sent": silent})))
            hit = FaultHit(
                fault="dark", at=at, listener="primary", exchange=f"primary-{number}", call=name, detail="lost"
            )
            lines.append(to_line(hit))
        listener = "secondary" if dark else "primary"
        edge = self._exchange.sent.model_copy(
            update={"head_at": begin, **{k: v for k, v in ends.items() if k[:4] != "last"}}
        )
        answered = {
            "id": f"{listener}-a-{number}",
            "listener": listener,
            "call": name,
            "began_at": begin,
            "asked_at": begin,
        }
        lines.append(to_line(self._exchange.model_copy(update={**answered, "received": edge, "sent": edge})))
        return b"".join(lines)

    def edges(self) -> tuple[tuple[float, bytes], ...]:
        """When the fault begins and ends, and the lines that say so."""
        edges: tuple[Literal["applied", "healed"], ...] = ("applied", "healed")
        return tuple(
            (at, to_line(FaultEdge(fault="dark", edge=edge, at=at, listeners=["primary"], fault_type="partition")))
            for at, edge in zip(self._dark, edges, strict=True)
        )


def journal(calls: int) -> Iterator[bytes]:
    """The lines of a journal."""
    lasts_s = calls / RATE
    opening, ending = frame(lasts_s)
    yield from map(to_line, opening)
    writer = Writer(lasts_s)
    edges = list(writer.edges())
    for number in range(calls):
        at = _ORIGIN + number / RATE
        if edges and at >= edges[0][0]:
            yield edges.pop(0)[1]
        if number % RATE == 0:
            yield to_line(Lag(process="load", what="send", at=at, samples=50, p99_s=0.002, max_s=0.004))
        yield writer.call(number, at)
    yield from (line for _, line in edges)
    yield from map(to_line, ending)


def grow(path: Path, size: int) -> int:
    """Write a journal of at least ``size`` bytes; gives how many calls it has."""
    sample = sum(map(len, journal(600))) / 600
    calls = int(size / sample) + 1
    with path.open("wb") as file:
        file.writelines(journal(calls))
    return calls


def measured(path: Path) -> tuple[float, float, float]:
    """Seconds of wall, seconds of CPU and MB at the most of ``chaosproxy report``, in a process of its own."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = "import resource; peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss"
    command = f"import sys; from chaosproxy.cli import main\ntry: main()\nfinally: {peak}; print(peak, file=sys.stderr)"
    ended = subprocess.run(
        [sys.executable, "-c", command, "report", str(path)], check=True, capture_output=True, text=True, timeout=600
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu_s, int(ended.stderr.split()[-1]) / 1024


def opened(page: Path) -> tuple[float, float] | None:
    """Seconds until a browser has drawn the timeline, and CPU seconds of its page; None without a browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        return None
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        seen = []
        for _ in range(3):
            tab = chromium.new_page(viewport={"width": 1200, "height": 900})
            metrics = tab.context.new_cdp_session(tab)
            metrics.send("Performance.enable")
            tab.goto(page.as_uri())
            tab.wait_for_selector("html[data-drawn]", state="attached", timeout=120_000)
            wall_s = float(tab.evaluate("performance.now()")) / 1000
            found = {one["name"]: one["value"] for one in metrics.send("Performance.getMetrics")["metrics"]}
            seen.append((wall_s, float(found.get("ThreadTime", 0.0))))
            tab.close()
        chromium.close()
    return min(seen)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=1_000_000_000, help="size of the large journal")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small" / "journal.jsonl"
        small.parent.mkdir()
        with small.open("wb") as file:
            file.writelines(journal(10_000))
        wall_s, cpu_s, mb = measured(small)
        print(f"10,000 calls: {wall_s:.2f} s ({cpu_s:.2f} s of CPU), {mb:.0f} MB")
        page = small.parent / "report.html"
        print(f"its page: {page.stat().st_size / 1e6:.2f} MB, in a browser: {opened(page)}")
        large = Path(folder) / "large" / "journal.jsonl"
        large.parent.mkdir()
        calls = grow(large, arguments.bytes)
        wall_s, cpu_s, mb = measured(large)
        size = large.stat().st_size / 1e6
        print(f"{size:.0f} MB, {calls:,} calls: {wall_s:.1f} s ({cpu_s:.1f} s of CPU), {mb:.0f} MB of memory")
        print(f"its page: {(large.parent / 'report.html').stat().st_size / 1e6:.2f} MB")
    print(f"bars: {BARS}")


if __name__ == "__main__":
    main()
