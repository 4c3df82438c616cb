"""What holds for every command."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from unittest.mock import Mock, patch

import pytest
import typer

from chaosproxy import __version__
from chaosproxy.cli import init
from chaosproxy.errors import PartFailed
from tests.cli.command import chaosproxy

COMMANDS = (
    "demo",
    "serve",
    "run",
    "plan",
    "check",
    "explain",
    "faults",
    "init",
    "schema",
    "status",
    "inject",
    "heal",
    "stop",
)


def test_help_names_every_command() -> None:
    """``chaosproxy --help`` lists what there is."""
    said = chaosproxy("--help")

    assert said.code == 0
    assert [name for name in (*COMMANDS, "lab") if f"  {name} " not in said.out] == []


@pytest.mark.parametrize("command", [*((name,) for name in COMMANDS), ("lab", "backend"), ("lab", "gateway")])
def test_the_help_of_each_command_shows_an_example(command: tuple[str, ...]) -> None:
    """A newcomer copies before reading."""
    said = chaosproxy(*command, "--help")

    assert said.code == 0
    assert f"Example: chaosproxy {' '.join(command)}" in " ".join(said.out.split())


def test_version() -> None:
    """``--version`` prints one line."""
    assert chaosproxy("--version").out == f"chaosproxy {__version__}\n"


def test_an_unknown_command_is_a_mistake_of_the_user() -> None:
    """Exit code 2, and no traceback."""
    said = chaosproxy("rum")

    assert said.code == 2
    assert "No such command 'rum'" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [(PartFailed("the port is taken"), 5), (KeyboardInterrupt(), 130)],
)
def test_foreseen_ends_have_exit_codes_and_no_traceback(error: BaseException, code: int) -> None:
    """An error of ours, and Ctrl-C before a command could take it."""
    with patch("chaosproxy.cli.app.app", side_effect=error):
        said = chaosproxy("faults")

    assert said.code == code
    assert "Traceback" not in said.err
    assert str(error) in said.err


def test_a_bug_of_ours_is_an_error() -> None:
    """Exit code 5 and the traceback, not Python's 1, which means that an experiment deviated."""
    with patch("chaosproxy.cli.app.app", side_effect=ZeroDivisionError("a bug")):
        said = chaosproxy("faults")

    assert said.code == 5
    assert "ZeroDivisionError: a bug" in said.err


def test_ctrl_c_at_a_question_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 130, not typer's 1, which means that an experiment deviated."""
    monkeypatch.setattr(init, "_somebody_is_there", lambda: True)
    monkeypatch.setattr("typer.prompt", Mock(side_effect=typer.Abort))

    assert chaosproxy("init").code == 130


@pytest.mark.e2e
def test_a_reader_that_leaves_is_no_error() -> None:
    """``chaosproxy schema | head -1`` ends with 0: any other code would mean something about an experiment."""
    with subprocess.Popen([sys.executable, "-m", "chaosproxy", "schema"], stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

        assert process.wait(20) == 0
    assert said == b""


@pytest.mark.e2e
def test_help_is_there_at_once() -> None:
    """At most thrice the processor time of importing typer alone, which is 60 to 100 ms: best of some tries of both."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}

    def best_s(*words: str) -> float:
        spans = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *words], capture_output=True, check=True, env=plain)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spans.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(spans)

    assert best_s("-m", "chaosproxy", "--help") < 3 * best_s("-c", "import typer")


def test_help_loads_nothing_heavy() -> None:
    """The reason for the speed: neither servers nor models nor rich are imported for --help."""
    script = "import sys, chaosproxy.cli.app; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert {"aiohttp", "asyncio", "pydantic", "rich", "structlog", "yaml"} & set(loaded) == set()


def test_a_plain_proxy_loads_no_experiments() -> None:
    """What it never uses would weigh on it for as long as it runs."""
    script = """
import sys
from chaosproxy.cli.outlet import JsonVoice
from chaosproxy.cli.setup import Given, set_up
from chaosproxy.control.serve import serve

set_up(Given(None, "http://127.0.0.1:8000", ("time.stall where=token:5",), 1, None, None))
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    needless = {"yaml", "jinja2", "jsonschema", "chaosproxy.experiment.model", "chaosproxy.control.api"}

    assert "chaosproxy.proxy.proxy" in loaded
    assert needless & set(loaded) == set()
    assert not [name for name in loaded if name.startswith(("chaosproxy.steady_state", "chaosproxy.report"))]


@pytest.mark.parametrize("words", [["--help"], ["faults"], ["schema"]])
def test_a_full_disk_is_no_traceback(words: list[str]) -> None:
    """Nothing of an experiment is known, so it is 5, and one line says why."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "chaosproxy", *words], stdout=full, stderr=PIPE, text=True, check=False
        )

    assert (done.returncode, done.stderr) == (5, "the output cannot be written: No space left on device\n")
