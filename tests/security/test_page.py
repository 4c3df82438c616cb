"""The threat page and the tests name each other: no promise without a test, and no test here without a promise."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

from chaosproxy.proxy.limits import KIB, MIB, Limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
_PROMISE = re.compile(r"^- (?:.|\n(?!\n|- |#))*", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_UNITS = {"KiB": KIB, "MiB": MIB, "s": 1, "": 1}


def promises() -> list[str]:
    """Each line of the page that promises something, with what belongs to it."""
    begin, end = PAGE.index("<!-- promises -->"), PAGE.index("<!-- end of promises -->")
    return _PROMISE.findall(PAGE[begin:end])


def functions_in(path: Path) -> set[str]:
    """The names of the test functions in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


def test_each_promise_names_a_test_that_exists() -> None:
    """At least one, by its file and its name."""
    assert len(promises()) > 30
    for promise in promises():
        named = _TEST.findall(promise)
        assert named, promise
        for file, name in named:
            assert name in functions_in(ROOT / file), f"{file}::{name}"


def test_each_test_of_the_folder_is_named() -> None:
    """What is tested for safety's sake is promised to somebody."""
    named = set(_TEST.findall(PAGE))
    here = Path(__file__)
    for path in here.parent.glob("test_*.py"):
        if path != here:
            missing = {name for name in functions_in(path) if (f"tests/security/{path.name}", name) not in named}
            assert missing == set(), path.name


def test_each_limit_is_there_with_its_default() -> None:
    """All bounds of the data plane, as they are in the code, each with a test."""
    rows = {name: (default.strip(), tests) for name, default, _, tests in _ROW.findall(PAGE)}
    values = {field.name: field.default for field in fields(Limits)}
    shown = {name: value for name, (value, _) in rows.items() if name in values}

    assert set(shown) == set(values)
    for name, text in shown.items():
        assert _value(text) == values[name], name
    for name, (_, tests) in rows.items():
        found = _TEST.findall(tests)
        assert found, name
        assert all(test in functions_in(ROOT / file) for file, test in found), name


def _value(text: str) -> float | None:
    """``32 KiB`` as bytes, ``10 s`` as seconds, ``10,000`` as a number."""
    if text == "by descriptors":
        return None
    number, _, unit = text.replace(",", "").partition(" ")
    return float(number) * _UNITS[unit]
