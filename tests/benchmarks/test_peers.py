from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import peers


@pytest.mark.parametrize(("peer", "tool"), [(peers.toxiproxy, "go"), (peers.aimock, "npm")])
def test_without_its_tool_a_peer_is_missing_and_says_why(
    peer: object, tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No failure: a reason, for the page."""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert callable(peer)
    found = peer(tmp_path / "peers")

    assert found.missing == f"`{tool}` is not installed"
    assert found.install() == found.missing


@pytest.mark.parametrize("peer", [peers.toxiproxy, peers.aimock])
def test_an_installed_peer_is_left_alone(peer: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the tool is gone."""
    assert callable(peer)
    found = peer(tmp_path / "peers")
    found.program.parent.mkdir(parents=True)
    found.program.touch()
    monkeypatch.setenv("PATH", os.fspath(tmp_path))

    assert found.missing is None
    assert found.install() is None


def test_a_failed_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the tool said."""
    tool = tmp_path / "bin" / "npm"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho no such package >&2\nexit 1\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(tool.parent))

    assert peers.aimock(tmp_path / "peers").install() == "no such package"
