"""``chaosproxy init``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaosproxy.cli import init as command
from chaosproxy.cli.app import app
from tests.cli.command import chaosproxy

ENTRY = ("--entry", "http://localhost:8080")
PRIMARY = ("--backend", "primary=https://api.openai.com/v1")
FALLBACK = ("--backend", "spare=http://10.0.0.1:8000")


def test_it_writes_an_experiment_that_plan_accepts(tmp_path: Path) -> None:
    """No mistake and no finding, with one backend and with two."""
    for name, backends in (("one.yaml", PRIMARY), ("two.yaml", (*PRIMARY, *FALLBACK))):
        file = tmp_path / name

        said = chaosproxy("init", *ENTRY, *backends, "--out", str(file))

        assert (said.code, said.err) == (0, "")
        assert f"chaosproxy plan {file}" in said.out
        assert f"chaosproxy run {file}" in said.out
        assert chaosproxy("plan", str(file)).out.endswith("findings\n  none\n")


def test_it_says_what_the_system_must_call_instead(tmp_path: Path) -> None:
    """Our listener with the backend's own path."""
    said = chaosproxy("init", *ENTRY, *PRIMARY, "--out", str(tmp_path / "a.yaml"))

    assert "primary: http://127.0.0.1:9001/v1   instead of https://api.openai.com/v1" in said.out


def test_a_file_is_never_overwritten_without_force(tmp_path: Path) -> None:
    """Somebody's work may be in it."""
    file = tmp_path / "drill.yaml"
    file.write_text("mine", encoding="utf-8")

    refused = chaosproxy("init", *ENTRY, *PRIMARY, "--out", str(file))

    assert refused.code == 2
    assert file.read_text(encoding="utf-8") == "mine"
    assert chaosproxy("init", *ENTRY, *PRIMARY, "--out", str(file), "--force").code == 0
    assert file.read_text(encoding="utf-8").startswith("experiment: v1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give --entry URL and at least one --backend NAME=URL"),
        (ENTRY, "give --entry URL and at least one --backend NAME=URL"),
        (("--entry", "localhost", *PRIMARY), "--entry: expected an http or https URL, got 'localhost'"),
        ((*ENTRY, "--backend", "https://x"), "--backend: expected NAME=URL"),
        ((*ENTRY, *PRIMARY, *PRIMARY), "--backend: primary is given twice"),
        ((*ENTRY, "--backend", "a b=https://x"), "a name is letters, digits, _ and -"),
    ],
)
def test_wrong_flags_are_explained(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    """Exit code 2, and no file."""
    file = tmp_path / "drill.yaml"

    said = chaosproxy("init", *words, "--out", str(file))

    assert said.code == 2
    assert message in said.err
    assert not file.exists()


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    """A directory, and a folder that is not there."""
    assert "is a directory" in chaosproxy("init", *ENTRY, *PRIMARY, "--out", str(tmp_path)).err
    assert "cannot write" in chaosproxy("init", *ENTRY, *PRIMARY, "--out", str(tmp_path / "no" / "a.yaml")).err


def test_on_a_terminal_it_asks_for_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry, first backend and an optional fallback."""
    monkeypatch.setattr(command, "_somebody_is_there", lambda: True)
    file = tmp_path / "drill.yaml"

    said = CliRunner().invoke(app, ["init", "--out", str(file)], input="http://localhost:8080\nhttp://a\nhttp://b\n")

    assert said.exit_code == 0, said.output
    written = file.read_text(encoding="utf-8")
    assert 'entry: "http://localhost:8080"' in written
    assert 'upstream: "http://a", role: primary' in written
    assert 'upstream: "http://b", role: fallback' in written


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe on standard input is not a person."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)

    assert not command._somebody_is_there()
