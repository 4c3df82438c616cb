"""Small drills, run as a user runs them: ``chaosproxy run FILE`` as a process, in a folder of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from secrets import token_hex
from time import monotonic, sleep
from typing import Any, TypeVar

from chaosproxy.journal.reading import read_journal
from chaosproxy.journal.records import AnyRecord
from chaosproxy.steady_state.findings import Verdict

R = TypeVar("R", bound=AnyRecord)

MARK = "CHAOSPROXY_TEST_MARK"
"""The variable of the environment by which the processes of one run are found."""
WITHIN_S = 120.0
"""No drill here takes longer, on a slow machine either."""

SMALL: Mapping[str, Any] = {
    "experiment": "v1",
    "name": "small",
    "seed": 7,
    "systems": {"models": {"lab": "backend", "tokens": 6, "ttft": "10ms", "inter_token": "5ms"}},
    "topology": {"entry": "${listener.a}", "backends": {"a": {"upstream": "models"}}},
    "load": {
        "id": "chat",
        "arrival": {"rate": "10/s", "process": "constant"},
        "request": {"timeout": "2s"},
    },
    "timeline": {"warmup": "500ms", "lasts": "3s"},
    "faults": [
        {
            "id": "cut",
            "target": "a",
            "at": "800ms",
            "lasts": "1s",
            "do": {"type": "stream.truncate", "where": "token:3"},
        }
    ],
    "hypothesis": ["success >= 30%"],
}
"""A load on one listener in front of one lab backend; its streams are cut for a second, and that is allowed."""


def small(**sections: Any) -> str:
    """The text of the small experiment with other ``sections``; one that is None is left out. JSON is YAML."""
    wanted = {key: value for key, value in {**SMALL, **sections}.items() if value is not None}
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in wanted.items())


@dataclass(frozen=True)
class Ended:
    """How a command ended. ``directory`` is the folder of its results, None when it left none;
    ``mark`` finds the processes that it left, if any.
    """

    code: int
    out: str
    err: str
    directory: Path | None
    mark: str

    @property
    def results(self) -> Path:
        """The folder of its results, which must exist."""
        assert self.directory is not None, self.err
        return self.directory

    @property
    def report(self) -> Verdict:
        """Its report.json, which must be one."""
        return Verdict.model_validate_json((self.results / "report.json").read_text("utf-8"))

    @property
    def records(self) -> tuple[AnyRecord, ...]:
        """Its journal, which must be whole."""
        journal = read_journal((self.results / "journal.jsonl").read_text("utf-8").splitlines())
        assert not journal.torn
        return journal.records

    def all(self, kind: type[R]) -> list[R]:
        """The records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]

    @property
    def sentences(self) -> str:
        """All that the report found, one sentence a line."""
        return "\n".join(finding.sentence for finding in self.report.findings)


def chaosproxy(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """One command to its end."""
    before, mark = _results(cwd), token_hex(8)
    done = subprocess.run(
        [sys.executable, "-m", "chaosproxy", *words],
        cwd=cwd,
        env={**os.environ, **(env or {}), MARK: mark},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr, _new(cwd, before), mark)


def write(folder: Path, text: str) -> str:
    """Put an experiment into a folder; the name to run it by."""
    (folder / "drill.yaml").write_text(text, encoding="utf-8")
    return "drill.yaml"


def drill(folder: Path, text: str, *words: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run an experiment to its end."""
    return chaosproxy("run", write(folder, text), *words, cwd=folder, env=env)


def repeat_inconclusive(run: Callable[[], Ended], times: int = 3) -> Ended:
    """The first run that this machine was quick enough for, else the last; a deviated run is never tried again."""
    for _ in range(times - 1):
        ended = run()
        if ended.code != 3 or " late" not in ended.sentences:
            return ended
    return run()


@dataclass
class Running:
    """A command that goes on. What it says on standard error is read as it comes."""

    process: subprocess.Popen[str]
    cwd: Path
    before: frozenset[Path]
    mark: str
    said: list[str] = field(default_factory=list)
    _lines: SimpleQueue[str | None] = field(default_factory=SimpleQueue)

    def listen(self) -> None:
        """Pass lines on until the end."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, words: str) -> str:
        """Wait for a line on standard error with these words in it."""
        end = monotonic() + WITHIN_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - monotonic()))
            except Empty:
                raise AssertionError(f"{words!r} was not said in time, but {self.said}") from None
            assert line is not None, f"it ended without saying {words!r}, but {self.said}"
            self.said.append(line)
            if words in line:
                return line

    def ended(self, within_s: float = WITHIN_S) -> Ended:
        """Wait for its end."""
        code = self.process.wait(within_s)
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        while (line := self._lines.get(timeout=WITHIN_S)) is not None:
            self.said.append(line)
        return Ended(code, out, "".join(self.said), _new(self.cwd, self.before), self.mark)


@contextmanager
def running(folder: Path, text: str, *words: str) -> Iterator[Running]:
    """Start an experiment; it is ended afterwards if it has not ended by itself."""
    before, mark = _results(folder), token_hex(8)
    process = subprocess.Popen(
        [sys.executable, "-m", "chaosproxy", "run", write(folder, text), *words],
        cwd=folder,
        env={**os.environ, MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run = Running(process, folder, before, mark)
    listener = threading.Thread(target=run.listen)
    listener.start()
    try:
        yield run
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(WITHIN_S)
        listener.join(WITHIN_S)
        wait_ended(mark, WITHIN_S)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


# ---------------------------------------------------------------------------------------------------------- processes


def family(mark: str) -> dict[int, str]:
    """The processes that run with a mark in their environment, which children inherit: pid and command line."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it ended meanwhile, or is not ours
            continue
    return found


def wait_ended(mark: str, within_s: float) -> None:
    """Wait until no process with the mark is left."""
    end = monotonic() + within_s
    while left := family(mark):
        assert monotonic() < end, f"still there after {within_s:g} s: {left}"
        sleep(0.05)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def can_bind(port: int) -> bool:
    """Whether a server could listen there now, connections of the past aside."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _results(folder: Path) -> frozenset[Path]:
    return frozenset((folder / "out").glob("*"))


def _new(folder: Path, before: frozenset[Path]) -> Path | None:
    return next(iter(_results(folder) - before), None)
