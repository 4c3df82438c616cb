"""Runs the commands of docs/drills.md on the lab, and sums them up: `make drills`.

With `--defects` also each with its planted defect, which has to be found; words choose lines (`A`, `B8`). A drill
mostly waits, so `--at-once 3` is faster; one that needs exact times may then be inconclusive, and is made again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "drills.md"
WITHIN_S = 300.0
"""No drill takes as long, on a slow machine either; on the lab each ends in under 60 s."""
TRIES = 3
"""An inconclusive run has shown nothing, and is made again; a deviated one is not."""
PARTS = 4
"""A commit's tests run one part of the rows; see ``part_of_commit``."""
_ROW = re.compile(r"^\| ([A-E]\d+) \| (.+?) \| `([^`]+)` \| `([^`]+)` \| (.+?) \|$", re.MULTILINE)
_LAB = [sys.executable, "-m", "chaosproxy", "lab"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page. ``defect`` is what has to be added to the command to see it fail."""

    line: str
    what: str
    command: str
    defect: str
    failure: str

    @property
    def name(self) -> str:
        """What is run."""
        return next(word for word in shlex.split(self.command)[1:] if word != "run")

    def words(self, *, defect: bool) -> tuple[dict[str, str], list[str]]:
        """Variables and the words of the command."""
        added = shlex.split(self.defect) if defect else []
        if added and added[0].startswith("-"):
            return {}, [*shlex.split(self.command), *added]
        return dict(word.split("=", 1) for word in added), shlex.split(self.command)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one command ended."""

    code: int
    out: str
    took_s: float


def rows(text: str) -> list[Row]:
    """The lines of the tables."""
    return [Row(*match) for match in _ROW.findall(text)]


def part(all_rows: Sequence[Row], which: str) -> list[Row]:
    """``all``, or ``2/4``: every fourth row from the second on, so that each part has rows of every kind."""
    if which == "all":
        return list(all_rows)
    number, _, parts = which.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise ValueError(f"expected all, or a part such as 2/{PARTS}, got {which!r}")
    return list(all_rows[int(number) - 1 :: int(parts)])


def part_of_commit() -> str:
    """A function of the commit, so that a run can be repeated and different commits test different parts."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        commit = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - git
    except (OSError, subprocess.CalledProcessError):
        commit = "0"  # a source tree without its history
    return f"{int(commit, 16) % PARTS + 1}/{PARTS}"


def run(row: Row, folder: Path, *, defect: bool) -> Outcome:
    """One command in a folder for its results, as often as it is inconclusive, up to TRIES times."""
    began = monotonic()
    with ExitStack() as stack:
        variables, words = row.words(defect=defect)
        if "streaming-adapter/" in words[-1] and words[0] == "bash":
            variables = {"BASE_URL": stack.enter_context(adapter()), **variables}
        if "--chaos-live" in words:
            live = stack.enter_context(_part("backend", "profile=13b", "tokens=8"))
            variables = {"VLLM_BACKEND_URL": live, "VLLM_MODEL_NAME": "m", **variables}
        if "certs=" in row.command:
            _make_certificates(folder)
        for _ in range(TRIES):
            done = _once([_placed(word, folder) for word in words], variables, folder)
            if done.returncode != 3:
                break
    return Outcome(done.returncode, done.stdout, monotonic() - began)


def _once(words: Sequence[str], variables: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    program = {"chaosproxy": [sys.executable, "-m", "chaosproxy"], "pytest": _PYTEST}.get(words[0], [words[0]])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    python = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    # Coverage of what a drill starts would cost as much as the drill itself; tests measure all of it.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS_")}
    return subprocess.run(  # noqa: S603 - what our own page says
        [*program, *words[1:]],
        cwd=folder,
        env={
            **inherited,
            "PATH": path,
            "PYTHONPATH": python,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **_placed_all(variables),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


_PYTEST = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"]
_PYTEST += ["-p", "chaosproxy.pytest_plugin"]  # by its name, so that it does not matter what is installed here


def _placed(word: str, folder: Path) -> str:
    """Paths are meant from the top of the source tree, ``$PWD`` is where the results go."""
    word = word.replace("$PWD", str(folder))
    return str(ROOT / word) if word.startswith("experiments/") else word


def _placed_all(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value.replace("tests/e2e/", f"{ROOT}/tests/e2e/") for name, value in variables.items()}


def _make_certificates(folder: Path) -> None:
    """The drill's own authority, and one that nobody has a certificate of."""
    for name in ("chaosproxy-ca", "other-ca"):
        if not (folder / name).exists():
            command = [sys.executable, "-m", "chaosproxy", "ca", "--dir", str(folder / name)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours


@contextmanager
def adapter() -> Iterator[str]:
    """A gateway of the lab whose fallback is off, in front of a backend that streams every model but plain-1."""
    with ExitStack() as stack:
        backend = stack.enter_context(_part("backend", "supports_streaming.plain-1=false", "supports_streaming.*=true"))
        yield stack.enter_context(_part("gateway", "--upstream", f"a={backend}", "fallback=false"))


@contextmanager
def _part(*words: str) -> Iterator[str]:
    """A part of the lab while it runs: its URL."""
    command = [*_LAB, *words, "--listen", "127.0.0.1:0", "--leash"]
    process = subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        try:
            if process.stdout is None:
                raise RuntimeError("its output is a pipe")
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def main(argv: Sequence[str] | None = None) -> int:
    """Run them; 0 when all ended as they should."""
    parser = argparse.ArgumentParser(prog="python -m scripts.drills", description=__doc__)
    parser.add_argument("lines", nargs="*", help="A, B8, ... (default: all)")
    parser.add_argument("--defects", action="store_true", help="the planted defects, too")
    parser.add_argument(
        "--part", default="all", help=f"all, or 1/{PARTS} to {PARTS}/{PARTS}: what the tests of a commit run"
    )
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="so many side by side")
    given = parser.parse_args(argv)
    try:
        chosen = part([row for row in rows(PAGE.read_text("utf-8")) if _is_chosen(row, given.lines)], given.part)
    except ValueError as error:
        parser.error(f"--part: {error}")
    return _run_all(chosen, (False, True) if given.defects else (False,), given.at_once)


def _run_all(chosen: Sequence[Row], kinds: Sequence[bool], at_once: int) -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max(1, at_once)) as pool:
        asked = [
            (row, defect, Path(folder, f"{place}-{defect}")) for place, row in enumerate(chosen) for defect in kinds
        ]
        for (row, defect, _), ended in zip(asked, pool.map(_run_in, asked), strict=True):
            wrong += ended.code != int(defect)
            print(_summary(row, ended, defect=defect), flush=True)
            if ended.code != int(defect):
                print("\n".join(f"      {line}" for line in ended.out.splitlines()[-30:]), flush=True)
    print(f"{len(chosen)} lines, {wrong} not as they should be")
    return 1 if wrong or not chosen else 0


def _run_in(asked: tuple[Row, bool, Path]) -> Outcome:
    row, defect, folder = asked
    folder.mkdir()
    return run(row, folder, defect=defect)


def _is_chosen(row: Row, wanted: Sequence[str]) -> bool:
    return not wanted or row.line in wanted or row.line[0] in wanted


def _summary(row: Row, ended: Outcome, *, defect: bool) -> str:
    verdict = {0: "held", 1: "deviated", 3: "inconclusive"}.get(ended.code, f"exit code {ended.code}")
    told = "as it should" if ended.code == int(defect) else "NOT AS IT SHOULD"
    kind = "defect" if defect else "drill"
    return f"{row.line:<4} {row.name:<52} {kind:<7} {verdict:<13} {told:<17} {ended.took_s:5.1f} s"


if __name__ == "__main__":
    sys.exit(main())
