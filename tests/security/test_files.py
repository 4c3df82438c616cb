"""Files of others: an experiment or a proxies file that is a bomb is refused in words, in bounded time and memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.cli.run import FILE_BYTES_MAX, read_text
from chaosproxy.errors import MESSAGE_CHARS, PROBLEMS_SHOWN, InvalidExperiment, UserError
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.load_proxies import parse_proxies
from chaosproxy.experiment.references import MAX_REFERENCES
from chaosproxy.experiment.yaml_text import MAX_CHARACTERS

SIZE = MAX_CHARACTERS - 100
MEMORY_BYTES = 2 * 1024**3
"""Address space of a child that reads a bomb: Python with our imports needs a quarter of it."""
WITHIN_S = 100.0
PARSERS: Mapping[str, Callable[..., Any]] = {"experiment": parse_experiment, "proxies": parse_proxies}


def laughs() -> str:
    """The billion: each line nine times the one before."""
    names = "abcdefghij"
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]" for before, name in pairwise(names)]
    return "\n".join(lines)


BOMBS = {
    "billion laughs": (laughs(), "MAX_NODES"),
    "too long": ("a: " + "x" * MAX_CHARACTERS, "MAX_CHARACTERS"),
    "lists in lists": ("a: " + "[" * SIZE, "MAX_DEPTH"),
    "mappings in mappings": ("a: " + "{" * SIZE, "MAX_DEPTH"),
    "keys in keys": ("a: " + "{a: " * (SIZE // 4), "MAX_DEPTH"),
    "dashes": ("- " * (SIZE // 2), "MAX_DEPTH"),
    "question marks": ("a:\n  " + "? " * (SIZE // 2), "MAX_DEPTH"),
    "many values": ("a: [" + "b," * (SIZE // 2) + "]", "MAX_NODES"),
    "many keys": ("".join(f"k{number}: 1\n" for number in range(SIZE // 10)), "MAX_NODES"),
    "huge text": ("a: " + "x" * SIZE, "unknown key"),
    "huge words": ("a: " + "x " * (SIZE // 2), "unknown key"),
    "huge quoted text": ('a: "' + "\\x41" * (SIZE // 4) + '"', "unknown key"),
    "huge block": ("a: |\n" + " x\n" * (SIZE // 3), "unknown key"),
    "huge key": ("x" * SIZE + ": a", "not valid YAML"),
    "huge tag": ("a: !" + "x" * (SIZE - 10) + " 1", "a tag ("),
    "comments": ("#\n" * (SIZE // 2), "the file is empty"),
    "itself": ("a: &a [*a]", "stands inside what it names"),
    "no anchor": ("a: *b", "has no anchor before it"),
    "anchor twice": ("a: &x 1\nb: &x 2\nc: *x\n", "the anchor &x stands in line 1 already"),
    "NUL": ('a: "\0"', "U+0000"),
    "no character": ('a: "\\UFFFFFFFF"', "a number that is too large"),
}


def mistakes(read: Callable[..., Any], text: str) -> str:
    """The words of the refusal."""
    with pytest.raises(InvalidExperiment) as caught:
        read(text, "f.yaml", env={})
    return str(caught.value)


@pytest.mark.parametrize("read", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize(("text", "words"), BOMBS.values(), ids=BOMBS)
def test_yaml_bombs(read: Callable[..., Any], text: str, words: str) -> None:
    """Each is refused where it stands, and its error repeats little of it."""
    said = mistakes(read, text)

    assert words in said
    assert said.startswith("f.yaml")
    assert len(said) < 30_000


VALUES = {
    "references": f"vars: {{a: {'x' * 60_000}}}\nname: '{'${a}' * 40_000}'\n",
    "references everywhere": f"vars: {{a: {'x' * 60_000}}}\nload:\n" + "- '${a}'\n" * 4_000,
    "unknown references": "name: '" + "${zz}" * 50_000 + "'\n",
    "half references": "name: '" + "${" * 100_000 + "'\n",
    "parentheses": "hypothesis: ['" + "(" * 200_000 + "']\n",
    "digits": "hypothesis: ['success >= " + "9" * 200_000 + "%']\n",
    "expressions": "hypothesis: [" + "'sucess >= 95%'," * 4_800 + "]\n",
    "time": "timeline: {lasts: " + "9" * 200_000 + "s}\n",
    "power": "seed: 1e999999999\n",
    "number": "seed: " + "9" * 200_000 + "\n",
    "pattern": "probes: [{id: p, log: x, pattern: '" + "(" * 100_000 + "'}]\n",
}


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
def test_values_that_are_bombs(text: str) -> None:
    """What is put in, counted, computed or compiled is bounded, too."""
    said = mistakes(parse_experiment, f"experiment: v1\n{text}")

    assert len(said) < (PROBLEMS_SHOWN + 10) * (MESSAGE_CHARS + 100)
    assert max(map(len, said.splitlines())) < MESSAGE_CHARS + 200


def test_the_bound_on_references_is_named() -> None:
    """One sentence, and not one for each of them."""
    said = mistakes(parse_experiment, "experiment: v1\nname: '" + "${env:A:-b}" * (MAX_REFERENCES + 1) + "'\n")

    assert said.count("MAX_REFERENCES") == 1


@pytest.mark.parametrize("name", ["billion laughs", "lists in lists", "huge quoted text"])
def test_a_bomb_in_little_memory(name: str, tmp_path: Path) -> None:
    """The command ends with 2 and a sentence where all the memory of the machine would not do for the bomb."""
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMBS[name][0], encoding="utf-8")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))

    done = subprocess.run(
        [sys.executable, "-m", "chaosproxy", "run", str(path)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(str(path))


def test_a_file_without_an_end(tmp_path: Path) -> None:
    """A device or a huge file is read up to a limit."""
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)

    with pytest.raises(UserError, match="longer than 64 MiB"):
        read_text(huge)
