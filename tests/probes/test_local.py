"""Programs, functions, logs, processes and disks of this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.experiment.probe import Scene, Seen
from chaosproxy.experiment.probe_kinds import CommandProbe, DiskProbe, LogProbe, ProcessProbe, PythonProbe
from chaosproxy.probes import process
from chaosproxy.probes.disk import judged as judged_disk
from chaosproxy.probes.looking import begin
from chaosproxy.probes.process import Usage

PY = sys.executable


def made(kind: Any, **settings: Any) -> Any:
    """A probe of a kind."""
    return kind.model_validate({"id": "p", **settings})


async def seen_by(probe: Any, scene: Scene | None = None) -> Seen:
    """One look."""
    return await (await begin(probe, scene or Scene()))()


class TestCommand:
    @pytest.mark.parametrize(
        ("code", "settings", "seen"),
        [
            ("pass", {}, Seen("ok")),
            ("exit(3)", {}, Seen("failed", None, "exit code 3, expected 0")),
            ("exit(3)", {"expect": {"exit": 3}}, Seen("ok")),
            ("print('all is well')", {"expect": {"stdout": "is w"}}, Seen("ok")),
            ("print('sk-1')", {"expect": {"stdout": "well"}}, Seen("failed", None, "its output does not match")),
            ("print('depth: -1.5e1 of 9')", {"value": "true"}, Seen("ok", -15.0)),
            ("print(7)", {"expect": {"value": "< 5"}}, Seen("failed", 7.0, "its number is 7, expected < 5")),
            ("print('none')", {"value": "true"}, Seen("failed", None, "there is no number in its output")),
            ("import os; os.kill(os.getpid(), 9)", {}, Seen("failed", None, "ended by SIGKILL, expected 0")),
        ],
    )
    async def test_it_is_judged_by_its_end_and_its_output(self, code: str, settings: Any, seen: Seen) -> None:
        """Output is not repeated."""
        assert await seen_by(made(CommandProbe, command=[PY, "-c", code], **settings)) == seen

    async def test_a_program_that_does_not_exist_could_not_look(self) -> None:
        """Nor one that may not be run."""
        gone = await seen_by(made(CommandProbe, command=["chaosproxy-no-such-program", "-x"]))
        not_one = await seen_by(made(CommandProbe, command=["/"]))

        assert gone == Seen("unknown", None, "cannot start chaosproxy-no-such-program: no such file or directory")
        assert not_one.outcome == "unknown"

    async def test_a_deadline_takes_the_whole_family_along(self) -> None:
        """No child of it holds the pipe open, or lives on."""
        sleep = "import time; time.sleep(60)"
        child = f"import subprocess, time; subprocess.Popen(['{PY}', '-c', '{sleep}'])"
        before = _children()
        look = await begin(made(CommandProbe, command=[PY, "-c", f"{child}; time.sleep(60)"]), Scene())

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await look()

        assert _children() <= before


def _children() -> set[int]:
    return {pid for pid in process._pids() if (stat := process._stat(pid)) and stat.parent == os.getpid()}


MODULE = """
import asyncio, threading
gate = threading.Event()
def yes(): return True
def no(): return False
def seven(): return 7
async def later():
    await asyncio.sleep(0)
    return 0.5
def breaks(): raise RuntimeError("no database")
def denies(): assert False, "2 replicas lag"
def text(): return "fine"
def leaves(): raise SystemExit(3)
def hangs(): gate.wait(60)
class Group:
    @staticmethod
    def one(): return True
"""


@pytest.fixture
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of the user's in the current folder."""
    (tmp_path / "acme_checks.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield
    sys.modules.pop("acme_checks", None)


@pytest.mark.usefixtures("checks")
class TestPython:
    @pytest.mark.parametrize(
        ("name", "settings", "seen"),
        [
            ("yes", {}, Seen("ok")),
            ("no", {}, Seen("failed", None, "acme_checks:no returned False")),
            ("seven", {}, Seen("ok", 7.0)),
            ("seven", {"expect": "< 5"}, Seen("failed", 7.0, "acme_checks:seven is 7, expected < 5")),
            ("later", {"expect": "== 0.5"}, Seen("ok", 0.5)),
            ("Group.one", {}, Seen("ok")),
            ("denies", {}, Seen("failed", None, "AssertionError: 2 replicas lag")),
            ("breaks", {}, Seen("unknown", None, "RuntimeError: no database")),
            ("leaves", {}, Seen("unknown", None, "RuntimeError: SystemExit: 3")),
            ("text", {}, Seen("unknown", None, "acme_checks:text returned str, not a bool or a finite number")),
        ],
    )
    async def test_what_it_returns_or_raises_is_what_was_seen(self, name: str, settings: Any, seen: Seen) -> None:
        """An assertion says no; anything else that is raised says nothing."""
        assert await seen_by(made(PythonProbe, python=f"acme_checks:{name}", **settings)) == seen

    async def test_what_is_not_there_could_not_look(self) -> None:
        """Neither module nor function."""
        for target, words in (("acme_gone:f", "No module named"), ("acme_checks:gone", "has no attribute")):
            seen = await seen_by(made(PythonProbe, python=target))
            assert seen.outcome == "unknown"
            assert words in seen.detail

    async def test_a_function_that_hangs_blocks_nobody_and_is_not_called_twice(self) -> None:
        """The loop goes on, and the next look says what is the matter."""
        look = await begin(made(PythonProbe, python="acme_checks:hangs"), Scene())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await look()

        again = await look()
        sys.modules["acme_checks"].gate.set()

        assert again == Seen("unknown", None, "an earlier call has not returned yet")
        assert sum(thread.name == "probe" and thread.is_alive() for thread in threading.enumerate()) <= 1


class TestLog:
    async def test_only_lines_since_the_start_count(self, tmp_path: Path) -> None:
        """Of the whole run so far; half a line counts when it is whole."""
        file = tmp_path / "app.log"
        file.write_text("ERROR before\n", encoding="utf-8")
        look = await begin(made(LogProbe, log=str(file), pattern="ERROR"), Scene())

        assert await look() == Seen("ok", 0.0)
        with file.open("a") as log:
            log.write("fine\nERROR one\nERR")
        one = await look()
        with file.open("a") as log:
            log.write("OR two\n")

        assert one == Seen("failed", 1.0, "the count of matching lines is 1, expected == 0")
        assert (await look()).value == 2.0

    async def test_a_log_that_is_begun_anew_is_read_from_its_beginning(self, tmp_path: Path) -> None:
        """Cut, or moved away: both are ways to rotate it."""
        file = tmp_path / "app.log"
        file.write_text("long enough before\n", encoding="utf-8")
        look = await begin(made(LogProbe, log=str(file), pattern="ERROR", expect=">= 1"), Scene())

        file.write_text("ERROR 1\n", encoding="utf-8")
        cut = await look()
        file.rename(tmp_path / "app.log.1")
        file.write_text("ERROR 2, in a file that is longer\n", encoding="utf-8")

        assert (cut.value, (await look()).value) == (1.0, 2.0)

    async def test_a_file_that_is_not_there_could_not_be_looked_at(self, tmp_path: Path) -> None:
        """When it appears, all of it is new."""
        file = tmp_path / "late.log"
        look = await begin(made(LogProbe, log=str(file), pattern="ERROR"), Scene())

        before = await look()
        file.write_text("ERROR\n", encoding="utf-8")

        assert before == Seen("unknown", None, "the log cannot be read: no such file or directory")
        assert (await look()).value == 1.0

    async def test_old_lines_are_nobodys_where_the_program_failed_at_first(self, tmp_path: Path) -> None:
        """They cannot be told from new ones: one look knows nothing, later ones count from there."""
        file, ready = tmp_path / "lines", tmp_path / "ready"
        file.write_text("ERROR of yesterday\n")
        code = f"import os; os.path.exists({str(ready)!r}) or exit(1); print(open({str(file)!r}).read(), end='')"
        look = await begin(made(LogProbe, log=[PY, "-c", code], pattern="ERROR"), Scene())
        ready.touch()
        first, second = await look(), await look()
        with file.open("a") as log:
            log.write("ERROR of today\n")
        third = await look()

        assert (first.outcome, first.value) == ("unknown", None)
        assert "old lines cannot be told from new ones" in first.detail
        assert (second.value, third.value) == (0.0, 1.0)

    async def test_output_of_a_program_is_a_log(self, tmp_path: Path) -> None:
        """What it printed at the start is left out."""
        file = tmp_path / "lines"
        file.write_text("ERROR before\n", encoding="utf-8")
        argv = [PY, "-c", f"print(open({str(file)!r}).read(), end='')"]
        look = await begin(made(LogProbe, log=argv, pattern="ERROR"), Scene())

        before = await look()
        file.write_text("ERROR before\nfine\nERROR now\n", encoding="utf-8")

        assert before == Seen("ok", 0.0)
        assert (await look()).value == 1.0

    async def test_a_program_that_fails_could_not_look(self) -> None:
        """Its output may lack lines; one that does not exist has none."""
        failing = await seen_by(made(LogProbe, log=[PY, "-c", "exit(1)"], pattern="x"))
        gone = await seen_by(made(LogProbe, log=["chaosproxy-no-such-program"], pattern="x"))

        assert (failing.outcome, gone.outcome) == ("unknown", "unknown")


SLEEPER = "import sys; print('up', flush=True); sys.stdin.read()"
BURNER = "print('up', flush=True)\nwhile True: pass"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of which little is to be said."""
    with subprocess.Popen([PY, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.kill()


@pytest.fixture
def burner() -> Iterator[int]:
    """A process that does nothing but use a core."""
    with subprocess.Popen([PY, "-c", BURNER], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.kill()


class TestProcess:
    async def test_memory_of_a_process(self, sleeper: subprocess.Popen[bytes]) -> None:
        """An interpreter takes some megabytes, not gigabytes."""
        probe = made(ProcessProbe, process={"pid": sleeper.pid}, expect={"memory_mb": "< 2000"})

        seen = await seen_by(probe)

        assert seen.outcome == "ok"
        assert seen.value is not None
        assert 1 < seen.value < 2000

    async def test_use_of_a_processor_counts_since_the_look_before(self, burner: int) -> None:
        """One that only burns has used some of a core, whoever else is at work here."""
        probe = made(ProcessProbe, process={"pid": burner}, value="cpu_percent", expect={"cpu_percent": "< 0.01"})
        look, used = await begin(probe, Scene()), process._stat(burner)
        assert used is not None
        while (now := process._stat(burner)) is not None and now.ticks < used.ticks + 10:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)
        seen = await look()

        assert seen.outcome == "failed"
        assert seen.value is not None
        assert seen.value > 0.01

    async def test_one_that_is_gone_is_a_failure(self, sleeper: subprocess.Popen[bytes]) -> None:
        """Also as a zombie, which nobody has waited for."""
        look = await begin(made(ProcessProbe, process={"pid": sleeper.pid}), Scene())
        sleeper.kill()
        os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - it was killed

        assert await look() == Seen("failed", None, "there is no such process")

    async def test_it_is_found_by_its_port(self) -> None:
        """Here: this very process; and nobody where nobody listens."""
        with closing(socket.create_server(("127.0.0.1", 0))) as listening:
            port = listening.getsockname()[1]
            assert process._listening_at(port) == os.getpid()
            assert (await seen_by(made(ProcessProbe, process={"port": port}))).outcome == "ok"
        assert (await seen_by(made(ProcessProbe, process={"port": port}))).outcome == "failed"

    async def test_a_system_is_what_hangs_on_its_leash(self, sleeper: subprocess.Popen[bytes]) -> None:
        """The leash itself is ours, and does not count."""
        probe = made(ProcessProbe, process={"system": "gateway"})
        pids = {"gateway": sleeper.pid}

        free = await seen_by(probe, Scene({}, pids))
        empty = await seen_by(probe, Scene({}, pids, frozenset({sleeper.pid})))

        assert (free.outcome, empty.outcome) == ("ok", "failed")

    async def test_without_proc_it_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on macOS."""
        monkeypatch.setattr(process, "PROC", tmp_path)

        seen = await seen_by(made(ProcessProbe, process={"pid": 1}))

        assert seen == Seen("unknown", None, "cannot run on this system: it needs /proc, which Linux has")

    def test_without_an_earlier_look_there_is_no_use_yet(self) -> None:
        """A process that has only begun."""
        probe = made(ProcessProbe, process={"pid": 1}, expect={"cpu_percent": "< 50"})
        first, second = Usage(1.0, 5_000_000, 1.0), Usage(3.0, 5_000_000, 2.0)

        assert process.judged(probe, first, None).outcome == "unknown"
        assert process.judged(probe, second, first) == Seen("failed", 5.0, "cpu_percent is 50, expected < 50")


class TestDisk:
    async def test_room_of_a_real_disk(self, tmp_path: Path) -> None:
        """Between nothing and all."""
        seen = await seen_by(made(DiskProbe, disk=str(tmp_path), value="free_percent"))

        assert seen.outcome == "ok"
        assert seen.value is not None
        assert 0 <= seen.value <= 100

    async def test_no_such_path_could_not_be_looked_at(self, tmp_path: Path) -> None:
        """With the system's words."""
        seen = await seen_by(made(DiskProbe, disk=str(tmp_path / "gone")))

        assert seen == Seen("unknown", None, "no such file or directory")

    def test_either_bound_may_fail(self) -> None:
        """The value is the one that was chosen."""
        probe = made(DiskProbe, disk="/", expect={"free_mb": "> 500", "free_percent": "> 10"})

        assert judged_disk(probe, 600_000_000, 1_000_000_000) == Seen("ok", 600.0)
        few = judged_disk(probe, 600_000_000, 100_000_000_000)
        assert few == Seen("failed", 600.0, "free_percent is 0.6, expected > 10")
        assert judged_disk(probe, 1, 2).detail == "free_mb is 1e-06, expected > 500"
