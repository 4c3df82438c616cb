"""``--plugin``: faults of the user's own, and what is said of modules that have none."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from textwrap import dedent
from unittest.mock import patch

import pytest

from chaosproxy.faults import REGISTRY
from tests.cli.command import chaosproxy

FAULT = '''
from typing import ClassVar

from chaosproxy.events import Frame
from chaosproxy.faults.base import Fault, Room
from chaosproxy.faults.timing.first_token import TimeFirstToken


class SlowStart(TimeFirstToken):
    """Starts slowly, like a model that is being loaded."""

    type: ClassVar[str] = "acme.slow_start"
    symptom: ClassVar[str] = "the first words are late, as after a cold start"


class _Hidden(TimeFirstToken):
    pass
'''
DRILL = """
experiment: v1
topology:
  entry: http://127.0.0.1:8080
  backends: {primary: {listen: "127.0.0.1:0", upstream: "http://127.0.0.1:8000"}}
faults:
  - {target: primary, at: 5s, lasts: 10s, do: {type: acme.slow_start, mean: 3s}}
hypothesis: [success >= 0%]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in; what was loaded there is forgotten."""
    before = set(sys.modules)
    monkeypatch.setattr(REGISTRY, "_registered", {})
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("acme"):
            del sys.modules[name]


def write(name: str, text: str) -> None:
    """A module of the user's, in the folder."""
    Path(name).write_text(dedent(text), encoding="utf-8")


def test_a_plugins_fault_is_listed_and_explained() -> None:
    """With the words of its class; private classes are no faults."""
    write("acme_faults.py", FAULT)

    listed = chaosproxy("faults", "--plugin", "acme_faults", "--json")
    explained = chaosproxy("faults", "acme.slow_start", "--plugin", "acme_faults:SlowStart")

    assert [doc["name"] for doc in json.loads(listed.out)][-1] == "acme.slow_start"
    assert explained.code == 0
    assert "Starts slowly, like a model that is being loaded." in explained.out
    assert "mean: " in explained.out


def test_a_plugins_fault_has_a_symptom_like_any_other() -> None:
    """`--symptom` finds it."""
    write("acme_faults.py", FAULT)

    assert "acme.slow_start" in chaosproxy("faults", "--symptom", "cold start", "--plugin", "acme_faults").out


def test_without_the_plugin_the_fault_is_unknown() -> None:
    """Nothing is loaded that was not named."""
    write("acme_faults.py", FAULT)

    assert chaosproxy("faults", "acme.slow_start").code == 2


def test_an_experiment_may_use_it_by_name() -> None:
    """Checked like ours, settings included; the JSON Schema knows it, too."""
    write("acme_faults.py", FAULT)
    write("drill.yaml", DRILL)
    write("wrong.yaml", DRILL.replace("mean: 3s", "maen: 3s"))

    assert chaosproxy("plan", "drill.yaml").code == 2
    planned = chaosproxy("plan", "drill.yaml", "--plugin", "acme_faults")
    assert planned.code == 0
    assert "acme.slow_start" in planned.out
    assert "did you mean 'mean'?" in chaosproxy("plan", "wrong.yaml", "--plugin", "acme_faults").err
    assert "acme.slow_start" in chaosproxy("schema", "--plugin", "acme_faults").out


def test_the_environment_may_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a pipeline."""
    write("acme_faults.py", FAULT)
    monkeypatch.setenv("CHAOSPROXY_PLUGIN", "acme_faults")

    assert chaosproxy("faults", "acme.slow_start").code == 0


@pytest.mark.parametrize("command", [["run", "drill.yaml"], ["serve", "--upstream", "http://127.0.0.1:1"]])
def test_every_command_that_takes_faults_takes_plugins(command: list[str]) -> None:
    """A wrong one ends them before anything starts."""
    said = chaosproxy(*command, "--plugin", "acme_nothing")

    assert said.code == 2
    assert "--plugin acme_nothing: there is no module 'acme_nothing' here or installed" in said.err


@pytest.mark.parametrize(
    ("module", "given", "words"),
    [
        ("", "acme_faults.py", "there is no module"),
        ("import acme_missing", "acme_faults", "acme_faults wants to import 'acme_missing', which is not installed"),
        ("1 / 0", "acme_faults", "acme_faults fails when it is imported: ZeroDivisionError: division by zero"),
        ("def f(:", "acme_faults", "acme_faults fails when it is imported: SyntaxError"),
        ("raise SystemExit(0)", "acme_faults", "acme_faults ends the program when it is imported"),
        (
            "x = 1",
            "acme_faults",
            "acme_faults defines nothing public that is a subclass of chaosproxy.faults.base.Fault",
        ),
        (
            "x = 1",
            "acme_faults:x",
            "1 is not a subclass of chaosproxy.faults.base.Fault or chaosproxy.experiment.probe.Probe",
        ),
        (FAULT, "acme_faults:SlowStrat", "acme_faults has no 'SlowStrat', did you mean 'SlowStart'?"),
        (FAULT.replace("acme.slow_start", "sse.drop"), "acme_faults", "'sse.drop' is a fault of chaosproxy's own"),
        (FAULT.replace("(TimeFirstToken)", "(Fault)", 1), "acme_faults", "it misses its room"),
    ],
)
def test_a_module_that_cannot_be_a_plugin_is_explained(module: str, given: str, words: str) -> None:
    """Exit code 2, the flag, and what is wrong; no traceback."""
    write("acme_faults.py", module)

    said = chaosproxy("faults", "--plugin", given)

    assert said.code == 2
    assert said.err.startswith(f"--plugin {given}: ")
    assert words in said.err


def test_installed_packages_bring_their_faults_along() -> None:
    """By an entry point, to a module or to one fault."""
    write("acme_faults.py", FAULT)
    for value in ("acme_faults", "acme_faults:SlowStart"):
        points = EntryPoints([EntryPoint("acme", value, "chaosproxy.faults")])
        with patch("importlib.metadata.entry_points", return_value=points):
            sys.path.insert(0, str(Path.cwd()))
            assert chaosproxy("faults", "acme.slow_start").code == 0


def test_a_broken_entry_point_is_named() -> None:
    """Never left out in silence: a file that uses its fault would be refused for no visible reason."""
    points = EntryPoints([EntryPoint("acme", "acme_gone:Fault", "chaosproxy.faults")])
    with patch("importlib.metadata.entry_points", return_value=points):
        said = chaosproxy("faults")

    assert said.code == 2
    assert "the entry point 'acme': there is no module 'acme_gone'" in said.err
