"""``chaosproxy search`` and ``replay``, as a user types them, on the client that the documentation shows."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import chaosproxy

pytest.importorskip("openai", reason="the client that is searched in")

PAGE = Path(__file__).parents[2] / "docs/how-to/search-for-faults.md"
BLOCKS = {
    info: re.findall(rf"^```{info}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for info in ("python", "yaml")
}
CASE = "found/acme_client-call-silent_truncated.yaml"
pytestmark = pytest.mark.real


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With the client of the page; what is imported there is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "acme_client.py").write_text(BLOCKS["python"][0], "utf-8")
    before = set(sys.modules)
    yield tmp_path
    for name in {name for name in sys.modules if name.startswith("acme_")} - before:
        del sys.modules[name]


def test_what_is_found_is_kept_and_replayed(folder: Path) -> None:
    """The page's file is what is written; it still fails until the client is mended, and then it is fixed."""
    searched = chaosproxy("search", "--target", "acme_client:call", "--examples", "170", "--seed", "1")
    assert searched.code == 1, searched.err
    assert "FOUND silent_truncated: the call returned 'cp-search-1' as if" in searched.out
    written = (folder / CASE).read_text("utf-8")
    assert [line for line in written.splitlines() if line[0] != "#"] == BLOCKS["yaml"][0].splitlines()

    again = chaosproxy("replay", CASE)
    assert (again.code, again.out.startswith(f"STILL FAILS {CASE}: the call returned")) == (1, True)

    mended = BLOCKS["python"][0].replace("            return text", "            raise ValueError('no end')")
    (folder / "acme_mended.py").write_text(mended, "utf-8")
    fixed = chaosproxy("replay", CASE, "--target", "acme_mended:call")
    assert (fixed.code, fixed.out) == (0, f"FIXED {CASE}: the call raised builtins.ValueError: no end\n")


def test_a_case_that_met_nobody_is_not_fixed(folder: Path) -> None:
    """A target that asks nobody has proved nothing."""
    (folder / "found").mkdir()
    (folder / CASE).write_text(BLOCKS["yaml"][0], "utf-8")
    (folder / "acme_idle.py").write_text("async def call(asked):\n    raise ValueError('not today')\n", "utf-8")

    ended = chaosproxy("replay", CASE, "--target", "acme_idle:call")

    assert (ended.code, ended.out.split(":")[0]) == (3, f"INCONCLUSIVE {CASE}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "acme_client"], "expected MODULE:NAME, such as myapp:call, got 'acme_client'"),
        (["--target", "acme_client:cal"], "acme_client has no 'cal', did you mean 'call'?"),
        (["--target", "acme_none:call"], "there is no module 'acme_none' here or installed"),
        (["--target", "acme_broken:call"], "acme_broken:call fails without any fault: it raised builtins.ValueError"),
        (["--target", "acme_broken:NUMBER"], "acme_broken:NUMBER is not a function"),
        (["--target", "acme_client:call", "--dialect", "openai.chatt"], "did you mean 'openai.chat'?"),
        (["--target", "acme_client:call", "--deadline", "60"], "--deadline: expected a time with its unit"),
        (["--target", "acme_client:call", "--backend", "a", "--backend", "a"], "--backend: names must differ"),
    ],
)
def test_mistakes_are_said_in_words(folder: Path, arguments: list[str], words: str) -> None:
    """With the exit code for wrong usage, and no traceback."""
    (folder / "acme_broken.py").write_text("NUMBER = 7\nasync def call(asked):\n    raise ValueError('no')\n", "utf-8")

    ended = chaosproxy("search", *arguments)

    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_a_file_of_another_kind_is_refused(folder: Path) -> None:
    """An experiment that the search did not write has no target."""
    text = BLOCKS["yaml"][0].replace("vars: {target: 'acme_client:call', max_requests: '5'}\n", "")
    (folder / "case.yaml").write_text(text, "utf-8")

    ended = chaosproxy("replay", "case.yaml")

    assert (ended.code, "this is no file of chaosproxy search" in ended.err) == (2, True)
