"""The examples of the documentation are run, parsed and followed: what a page shows is what happens.

``console`` blocks are commands with their output; ``...`` stands for anything, alone on a line for any lines. The
commands of a page share one folder. A block marked ``console e2e`` starts processes, and is run as such.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaosproxy.cli.plugins import load_plugins
from chaosproxy.errors import BadValue
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.load_proxies import parse_proxies
from chaosproxy.experiment.probes import KINDS
from chaosproxy.faults import REGISTRY
from chaosproxy.faults.where import Where
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule
from chaosproxy.steady_state.vocabulary import MEASURES
from tests.cli.command import chaosproxy

ROOT = Path(__file__).parents[2]
PAGES = tuple(
    page
    for page in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "experiments/README.md")
    if page.exists()
)
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FAULT = re.compile(r"--fault (?:'([^']+)'|([a-z_]+\.[a-z_]+))")
_MODULE = re.compile(r"# (\w+)\.py\n")
_LEFT_OUT = re.compile(r"(?<!\.)\.{3}(?!\.)")
_PLACEHOLDERS = frozenset({"NAME KEY=VALUE...", "..."})


@dataclass(frozen=True)
class Command:
    """A command as a page shows it, and what it prints there."""

    words: tuple[str, ...]
    shown: str


def _blocks(page: Path, info: str) -> Iterator[str]:
    for mark, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if mark == info:
            yield text


def _commands(page: Path, info: str) -> list[Command]:
    found = []
    for text in _blocks(page, info):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            program, *words = shlex.split(line, comments=True)
            assert program == "chaosproxy", f"{page.name}: {line}"
            found.append(Command(tuple(words), shown))
    return found


def _pattern(shown: str) -> re.Pattern[str]:
    """What the output must look like; spaces at the ends of lines do not matter."""
    lines = (line.rstrip() for line in shown.strip("\n").splitlines())
    return re.compile("".join(map(_line_pattern, lines)))


def _line_pattern(line: str) -> str:
    """More than three dots are dots, as in a timeline."""
    return r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, _LEFT_OUT.split(line))) + r"\n"


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _with(info: str) -> list[Path]:
    return [page for page in PAGES if _commands(page, info)]


def _run_as_shown(page: Path, info: str) -> None:
    for command in _commands(page, info):
        ended = chaosproxy(*command.words)
        # Two streams meet on a terminal; which of them is first there is up to the command.
        printed = [_stripped(ended.err + ended.out), _stripped(ended.out + ended.err)]
        pattern = _pattern(command.shown)
        assert any(map(pattern.fullmatch, printed)), f"$ chaosproxy {shlex.join(command.words)}\n{printed[0]}"


def _stripped(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, on a terminal of a known width."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.mark.parametrize("page", _with("console"), ids=_name)
def test_commands_print_what_a_page_shows(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that start no process; modules that the page shows lie in the folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    _write_modules(page, folder)
    _run_as_shown(page, "console")


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", _with("console e2e"), ids=_name)
def test_runs_print_what_a_page_shows(page: Path, folder: Path) -> None:
    """Those that start processes."""
    _run_as_shown(page, "console e2e")


def test_examples_are_found() -> None:
    """A block that nobody finds would never fail."""
    assert {_name(page) for page in _with("console")} >= {"docs/tutorial.md", "docs/troubleshooting.md"}
    assert _with("console e2e")


def test_a_wildcard_hides_no_difference() -> None:
    """It stands for what is left out, and for nothing else."""
    pattern = _pattern("a\n...\nout/x-...\nz\n")

    assert pattern.fullmatch("a\nb\nc\nout/x-123\nz\n")
    assert pattern.fullmatch("a\nout/x-\nz\n")
    assert not pattern.fullmatch("a\nb\nout/y-1\nz\n")
    assert not pattern.fullmatch("a\nout/x-1\nz\nmore\n")
    assert not _pattern("....").fullmatch("a\n")


def _write_modules(page: Path, folder: Path) -> list[str]:
    """The names of the modules that a page shows."""
    modules = {_MODULE.findall(text)[0]: text for text in _blocks(page, "python") if _MODULE.match(text)}
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return list(modules)


@pytest.fixture
def plugins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], tuple[str, ...]]]:
    """Loads the plugins that a page shows (``# acme_NAME.py`` is their first line); they are forgotten afterwards."""
    for registry in (REGISTRY, MEASURES, KINDS):
        monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    before = set(sys.modules)

    def load(page: Path) -> tuple[str, ...]:
        return load_plugins([name for name in _write_modules(page, folder) if name.startswith("acme")])

    yield load
    for name in set(sys.modules) - before:
        if name.startswith("acme"):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_experiments_in_a_page_are_valid(page: Path, plugins: Callable[[Path], tuple[str, ...]]) -> None:
    """Whole ones, with the plugins that the page shows, and whole files for serve."""
    plugins(page)
    for text in _blocks(page, "yaml"):
        if text.startswith("experiment: v1"):
            parse_experiment(text, _name(page))
        if text.startswith("listeners:"):
            parse_proxies(text, _name(page))


def test_probes_in_a_page_are_valid(plugins: Callable[[Path], tuple[str, ...]]) -> None:
    """Every ``{id: ...}`` of the page on probes, one of each kind among them."""
    page = ROOT / "docs/how-to/probe-your-system.md"
    assert plugins(page) == ("acme_probes",)
    shown = re.findall(r"`(\{id: [^`]+\})`", page.read_text(encoding="utf-8"))

    for text in shown:
        parse_experiment(f"{_WITH_PROBES}probes: [{text}]\n", text)

    assert [name for name in KINDS.names if not any(f", {name}: " in text for text in shown)] == []


_WITH_PROBES = """\
experiment: v1
topology: {entry: "http://127.0.0.1:1", backends: {a: {upstream: "http://127.0.0.1:2"}}}
hypothesis: [success >= 0%]
"""


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_faults_in_a_page_are_valid(page: Path) -> None:
    """Every ``--fault`` that a page shows, except where it shows a mistake."""
    text = page.read_text(encoding="utf-8")
    wrong = {
        command.words[-1] for command in _commands(page, "console") if {"unknown", "cannot"} & {*command.shown.split()}
    }

    for quoted, bare in _FAULT.findall(text):
        if (line := quoted or bare) not in _PLACEHOLDERS | wrong:
            Rule.model_validate({"id": "x", "listeners": ("main",), **parse_flat(line)})


def test_every_place_is_in_the_reference() -> None:
    """What a mistaken ``where`` is told to be is a row of the table of places."""
    with pytest.raises(BadValue) as mistake:
        Where.parse("nowhere")
    allowed = str(mistake.value).removeprefix("expected ").partition(", got ")[0]

    page = (ROOT / "docs/reference/faults.md").read_text(encoding="utf-8")
    for spelling in re.split(", | or ", allowed):
        assert f"| `{spelling}` |" in page


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Files that exist, and headings that they have."""
    for link in _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if not link.startswith(("http://", "https://", "mailto:")):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in _anchors(target), link


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings}
