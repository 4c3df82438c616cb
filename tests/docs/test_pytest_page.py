"""The examples of the page on pytest: its files are written, its sessions are run, and they end as it shows."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.docs.test_examples import ROOT, _line_pattern
from tests.pytest_kit import Sessions

PAGE = ROOT / "docs/how-to/test-with-pytest.md"
_BLOCK = re.compile(r"^```(python [\w.]+|console pytest)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RULE = re.compile(r"^(-+) (chaos \w+) -+$", re.MULTILINE)


def _sessions() -> list[tuple[dict[str, str], str, str]]:
    """Each with the files that stand before it, its command and what it prints."""
    files: dict[str, str] = {}
    found = []
    for mark, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if mark != "console pytest":
            files[mark.removeprefix("python ")] = text
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            found.append((dict(files), line, shown))
    return found


def test_there_are_some() -> None:
    """A block that nobody finds would never fail."""
    assert len(_sessions()) == 6


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize(("files", "line", "shown"), _sessions(), ids=[line for _, line, _ in _sessions()])
def test_a_session_ends_as_shown(play: Sessions, files: dict[str, str], line: str, shown: str) -> None:
    """As in a folder with all files that the page has named before."""
    program, *words = shlex.split(line)
    ended = play("-v", *words, files=files)

    printed = _RULE.sub(r"--- \2 ---", ended.out)
    pattern = "".join(_line_pattern(each.rstrip()) for each in shown.splitlines())
    assert program == "pytest"
    assert re.search(pattern, "".join(f"{each.rstrip()}\n" for each in printed.splitlines())), printed
