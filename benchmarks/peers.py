"""The proxies that ours is compared with: ``python -m benchmarks.peers [NAME...]`` installs them into build/peers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "build" / "peers"
INSTALL_S = 300.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A program of others: what installs it, and where it then is. The version is part of the path."""

    name: str
    version: str
    tool: str
    words: tuple[str, ...]
    folder: Path
    program: Path

    @property
    def missing(self) -> str | None:
        """Why it cannot be measured, or None."""
        if self.program.exists():
            return None
        return f"`{self.tool}` is not installed" if shutil.which(self.tool) is None else "`make peers` has not run"

    def install(self) -> str | None:
        """Install it unless it is there; what went wrong, or None."""
        if self.program.exists():
            return None
        tool = shutil.which(self.tool)
        if tool is None:
            return self.missing
        self.folder.mkdir(parents=True, exist_ok=True)
        print(f"peers: installing {self.name} {self.version}", flush=True)
        environment = {**os.environ, "GOBIN": str(self.folder)}
        run = partial(subprocess.run, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        try:
            done = run([tool, *self.words], cwd=self.folder, env=environment)
        except subprocess.TimeoutExpired:
            return f"`{self.tool}` took longer than {INSTALL_S:g} s"
        return None if self.program.exists() else done.stderr.strip() or f"`{self.tool}` left no {self.program.name}"


TOXIPROXY = "github.com/Shopify/toxiproxy/v2"
TOXIPROXY_VERSION = "2.12.0"


def toxiproxy(folder: Path = FOLDER) -> Peer:
    """A relay of bytes with faults, in Go."""
    return _toxiproxy("Toxiproxy", "server", folder)


def toxiproxy_cli(folder: Path = FOLDER) -> Peer:
    """Its command line, a client of its API."""
    return _toxiproxy("Toxiproxy's CLI", "cli", folder)


def _toxiproxy(name: str, command: str, folder: Path) -> Peer:
    """A command of it that knows its version, as released ones do."""
    version = TOXIPROXY_VERSION
    home = folder / f"toxiproxy-v{version}"
    release = f"-ldflags=-X {TOXIPROXY}.Version={version}"
    words = ("install", release, f"{TOXIPROXY}/cmd/{command}@v{version}")
    return Peer(name, version, "go", words, home, home / command)


def aimock(folder: Path = FOLDER) -> Peer:
    """A mock of LLM providers with a proxy in it, in JavaScript."""
    package, version = "@copilotkit/aimock", "1.43.0"
    home = folder / f"aimock-{version}"
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    words = ("install", "--prefix", ".", *quiet, f"{package}@{version}")
    return Peer("aimock", version, "npm", words, home, home / "node_modules" / package / "dist" / "cli.js")


def main(names: Sequence[str] = ()) -> int:
    """Install what is missing of all, or of some; one that cannot be had is named, and is no failure."""
    peers = {"toxiproxy": toxiproxy(), "toxiproxy-cli": toxiproxy_cli(), "aimock": aimock()}
    for peer in [peers[name] for name in names or peers]:
        if problem := peer.install():
            print(f"peers: no {peer.name} {peer.version}: {problem}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
