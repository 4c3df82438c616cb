"""When probes look, and what is written down of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar

import pytest

from chaosproxy.experiment.probe import Probe, Scene, Seen
from chaosproxy.experiment.probe_kinds import HttpProbe
from chaosproxy.journal.records import FaultEdge, Probed
from chaosproxy.runner.probing import DETAIL_CHARS_MAX, Probing, concealed


class Scripted(Probe):
    """Finds what it is told, by its setting."""

    kind: ClassVar[str] = "scripted"

    scripted: str = "ok"

    async def look(self, scene: Scene) -> Seen:
        match self.scripted:
            case "hangs":
                await asyncio.get_running_loop().create_future()
            case "raises":
                raise LookupError("no such queue")
            case str(url) if "@" in url:
                raise OSError(f"cannot reach {url}")
            case "sleeps through":
                time.sleep(0.5)  # noqa: ASYNC251 - a bad one, which blocks the loop
                await asyncio.sleep(10)
        return Seen("ok", float(scene.facts.get("n", "1")))


class Punctual(Scripted):
    """One of which silence is an answer."""

    overdue: ClassVar = "failed"


class Journal:
    """Takes records, and lets tests wait for them."""

    def __init__(self) -> None:
        self.runs: list[Probed] = []
        self._news = asyncio.Event()

    def add(self, run: Probed) -> None:
        """As the recorder does."""
        self.runs.append(run)
        self._news.set()

    async def until(self, met: Callable[[list[Probed]], bool]) -> None:
        """Wait for records."""
        async with asyncio.timeout(20):
            while not met(self.runs):
                self._news.clear()
                await self._news.wait()

    def of(self, probe: str) -> list[Probed]:
        """Runs of one probe."""
        return [run for run in self.runs if run.probe == probe]


def edge(fault: str, what: str) -> FaultEdge:
    """A fault begins or ends."""
    return FaultEdge(fault=fault, edge=what, at=1.0, listeners=["a"])  # type: ignore[arg-type]


def probing(journal: Journal, *faults: str) -> Probing:
    """The probes of a run with these faults."""
    return Probing(faults, journal.add, time.monotonic)


def probe(name: str, scripted: str = "ok", kind: type[Scripted] = Scripted, **settings: object) -> Scripted:
    """A quick one."""
    values = {"id": name, "scripted": scripted, "each": "50ms", "timeout": "100ms", **settings}
    return kind.model_validate(values)


async def test_each_looks_again_and_again() -> None:
    """With what it found, and how long that took."""
    journal = Journal()
    runs = probing(journal)
    await runs.start([probe("a"), probe("b")], Scene({"n": "2"}))

    await journal.until(lambda _: len(journal.of("a")) >= 3 and len(journal.of("b")) >= 3)
    await runs.finish()

    assert {(run.outcome, run.value) for run in journal.runs} == {("ok", 2.0)}
    begins = [run.at for run in journal.of("a")]
    assert begins == sorted(begins)


async def test_they_follow_the_real_faults() -> None:
    """Before the first is applied, from then until the last has healed, and after that."""
    journal = Journal()
    runs = probing(journal, "one", "two")
    entries = [probe(when, during=when) for when in ("before", "during", "after", "all")]
    await runs.start(entries, Scene())

    await journal.until(lambda _: len(journal.of("before")) >= 2)
    assert not journal.of("during")
    runs.notice(edge("one", "applied"))
    await journal.until(lambda _: len(journal.of("during")) >= 2)
    runs.notice(edge("one", "healed"))
    count = len(journal.of("during"))
    await journal.until(lambda _: len(journal.of("during")) > count + 1)
    assert not journal.of("after")
    last_before = len(journal.of("before"))
    runs.notice(edge("two", "healed"))
    await journal.until(lambda _: len(journal.of("after")) >= 2)
    last_during = len(journal.of("during"))
    await journal.until(lambda _: len(journal.of("after")) >= 4)
    await runs.finish()

    assert len(journal.of("before")) == last_before
    assert len(journal.of("during")) <= last_during + 1


async def test_a_fault_that_never_came_ends_the_waiting() -> None:
    """The timeline knows when all must be over."""
    journal = Journal()
    runs = probing(journal, "never")
    await runs.start([probe("after", during="after"), probe("during", during="during")], Scene())

    runs.faults_are_over()
    await journal.until(lambda _: bool(journal.of("after")))
    await runs.finish()

    assert not journal.of("during")


async def test_a_deadline_is_an_answer_of_some_kinds_only() -> None:
    """A program that hangs has failed; a query that hangs says nothing."""
    journal = Journal()
    runs = probing(journal)
    await runs.start([probe("mute", "hangs"), probe("due", "hangs", Punctual)], Scene())

    await journal.until(lambda _: bool(journal.of("mute") and journal.of("due")))
    await runs.stop()

    assert (journal.of("mute")[0].outcome, journal.of("due")[0].outcome) == ("unknown", "failed")
    assert journal.of("due")[0].detail == "no end within 100ms"


async def test_a_deadline_that_our_own_loop_missed_says_nothing() -> None:
    """The loop stood still, so nobody knows whether there would have been an answer in time."""
    journal = Journal()
    runs = probing(journal)
    await runs.start([probe("due", "sleeps through", Punctual)], Scene())

    await journal.until(bool)
    await runs.stop()

    assert (journal.runs[0].outcome, journal.runs[0].detail[:16]) == ("unknown", "our own process ")


async def test_an_exception_is_not_an_answer() -> None:
    """Of a user's own kind, or a bug of ours."""
    journal = Journal()
    runs = probing(journal)
    await runs.start([probe("a", "raises")], Scene())

    await journal.until(bool)
    await runs.finish()

    assert (journal.runs[0].outcome, journal.runs[0].detail) == ("unknown", "LookupError: no such queue")


async def test_an_exception_tells_no_secret() -> None:
    """Of libraries, some repeat the URL."""
    journal = Journal()
    runs = probing(journal)
    await runs.start([probe("a", "http://us:pw-123456@h/")], Scene())

    await journal.until(bool)
    await runs.finish()

    assert journal.runs[0].detail == "OSError: cannot reach http://...@h/"


async def test_a_reference_that_does_not_fit_says_so() -> None:
    """In each run, so that the verdict knows."""
    journal = Journal()
    runs = probing(journal)
    await runs.start([HttpProbe(id="a", http="${entry}/health")], Scene({"entry": "nowhere"}))

    await journal.until(bool)
    await runs.finish()

    assert (journal.runs[0].outcome, journal.runs[0].detail) == (
        "unknown",
        "its settings do not fit what the run put into them",
    )


async def test_the_end_waits_for_runs_under_way() -> None:
    """They are bounded by their timeouts; an abort does not wait."""
    journal = Journal()
    runs = probing(journal)
    await runs.start([probe("a", "hangs", timeout="300ms")], Scene())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    await runs.finish()
    finished = len(journal.runs)
    await runs.start([probe("a", "hangs", timeout="30s")], Scene())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await runs.stop()

    assert (finished, len(journal.runs)) == (1, 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("ClientError: http://us:pw-123456@h/?key=k-99 said no", "ClientError: http://...@h/?... said no"),
        ("the key sk-secret is wrong", "the key ... is wrong"),
        ("pw of us: ask us, not the bus", "pw of ...: ask ..., not the bus"),
        ("two\nlines", "two lines"),
        ("x" * 300, "x" * DETAIL_CHARS_MAX + "..."),
    ],
)
def test_secrets_are_concealed(words: str, told: str) -> None:
    """Header values, and users, passwords and queries of URLs; a short one only as a word."""
    entry = HttpProbe(id="a", http="http://us:pw-123456@h/?key=k-99", headers={"x-key": "Bearer sk-secret"})

    assert concealed(words, entry.secrets()) == told
