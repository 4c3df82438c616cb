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

from chaosproxy.experiment.probes import KINDS
from chaosproxy.faults import REGISTRY
from chaosproxy.steady_state.vocabulary import MEASURES
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

WATCH = '''
from typing import ClassVar

from chaosproxy.experiment.probe import Probe, Scene, Seen
from chaosproxy.steady_state.own import measure
from chaosproxy.steady_state.vocabulary import Unit


@measure(unit=Unit.SHARE)
def acme_served(story):
    """Calls that got any text."""
    return story.call.text.chars > 0


class Queue(Probe):
    """How many jobs wait."""

    kind: ClassVar[str] = "acme_queue"

    acme_queue: str
    """Its name."""

    async def look(self, scene: Scene) -> Seen:
        return Seen("ok", 3.0)
'''
WATCHED = (
    DRILL.replace("[success >= 0%]", "[acme_served >= 90%, probe(jobs).value.max <= 5]").replace(
        "acme.slow_start, mean: 3s", "stream.fin"
    )
    + "probes: [{id: jobs, acme_queue: mail}]\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in; what was loaded there is forgotten."""
    before = set(sys.modules)
    for registry in (REGISTRY, MEASURES, KINDS):
        monkeypatch.setattr(registry, "_registered", {})
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


def test_a_plugin_brings_measures_and_probes_along() -> None:
    """By the same flag as faults; the plan and the schema know them."""
    write("acme_watch.py", WATCH)
    write("drill.yaml", WATCHED)

    planned = chaosproxy("plan", "drill.yaml", "--plugin", "acme_watch")

    assert planned.code == 0, planned.err
    assert "jobs   acme_queue   always" in planned.out
    assert "acme_served >= 90%" in planned.out
    assert "probe.acme_queue" in chaosproxy("schema", "--plugin", "acme_watch").out


def test_without_the_plugin_both_are_missed_by_name() -> None:
    """Exit code 2, and what to do about it."""
    write("drill.yaml", WATCHED)

    said = chaosproxy("plan", "drill.yaml")

    assert said.code == 2
    assert "a probe needs its kind" in said.err
    assert said.err.count("one of your own needs --plugin MODULE") == 2
    assert "unknown measure 'acme_served'" in said.err


def test_one_thing_of_a_module_may_be_named() -> None:
    """Then the others are not there."""
    write("acme_watch.py", WATCH)
    write("drill.yaml", WATCHED)

    said = chaosproxy("plan", "drill.yaml", "--plugin", "acme_watch:Queue")

    assert "acme_served" in said.err
    assert "needs its kind" not in said.err


@pytest.mark.parametrize("group", ["chaosproxy.faults", "chaosproxy.measures", "chaosproxy.probes"])
def test_each_group_of_entry_points_is_read(group: str) -> None:
    """One mechanism for all three."""
    write("acme_watch.py", WATCH)
    write("drill.yaml", WATCHED)
    points = EntryPoints([EntryPoint("acme", "acme_watch", group)])

    def entry_points(group: str) -> EntryPoints:
        return points.select(group=group)

    with patch("importlib.metadata.entry_points", entry_points):
        sys.path.insert(0, str(Path.cwd()))
        assert chaosproxy("plan", "drill.yaml").code == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"acme_queue"', '"http"', "its first setting must be called 'http', like the kind"),
        ('"acme_queue"', '"Acme"', "it needs its name"),
        ("    async def look", "    async def peek", "it misses its async look(scene)"),
        ("    acme_queue: str", "    acme_queue: str\n    tcp: str", "a setting cannot be called tcp"),
        ('    """How many jobs wait."""', "", "it misses a docstring"),
        ('    """Calls that got any text."""', "", "measure 'acme_served' misses a docstring"),
        ("acme_served(", "success(", "'success' is a measure of chaosproxy's own"),
    ],
)
def test_what_cannot_be_one_is_explained(old: str, new: str, words: str) -> None:
    """With the flag, and without a traceback."""
    write("acme_watch.py", WATCH.replace(old, new))

    said = chaosproxy("schema", "--plugin", "acme_watch")

    assert said.code == 2
    assert said.err.startswith("--plugin acme_watch: ")
    assert words in said.err
