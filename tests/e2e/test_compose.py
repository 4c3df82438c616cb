"""docker-compose.yml without Docker: its very commands, as local processes, with service names mapped to loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = FILE["services"]

pytestmark = pytest.mark.e2e


class Stack:
    """Services that run as processes of this machine."""

    def __init__(self, exits: ExitStack) -> None:
        self._exits = exits
        self.urls: dict[str, str] = {}

    def start(self, name: str) -> None:
        """Start what the service depends on, then its command; its address is what its ready line says."""
        for other in SERVICES[name].get("depends_on", []):
            if other not in self.urls:
                self.start(other)
        command = [self._local(word) for word in SERVICES[name]["command"]]
        process = subprocess.Popen(
            [sys.executable, "-m", "chaosproxy", *command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=ROOT
        )
        self._exits.callback(self._end, process)
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        self.urls[name] = ready["url"] if "url" in ready else next(iter(ready["listeners"].values()))["url"]

    def _local(self, word: str) -> str:
        """A listen address as a free port on loopback, a service's URL as the one that it really has."""
        word = re.sub(r"^0\.0\.0\.0:\d+$", "127.0.0.1:0", word)
        return re.sub(r"http://([\w-]+):\d+", lambda match: self.urls[match[1]], word)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Services end with the test."""
    with ExitStack() as exits:
        yield Stack(exits)


def test_the_lab_and_the_proxies_answer_through_the_gateway(stack: Stack) -> None:
    """``docker compose up`` gives a chain that works: a question to the gateway comes back answered."""
    stack.start("gateway")
    question = {"model": "m", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
    request = urllib.request.Request(  # noqa: S310 - a URL of our own
        stack.urls["gateway"] + "/v1/chat/completions",
        json.dumps(question).encode(),
        {"content-type": "application/json"},
    )

    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - likewise
        text = json.load(answer)["choices"][0]["message"]["content"]

    assert set(stack.urls) == set(SERVICES) - {"drill"}
    assert "Paris" in text


def test_the_drill_service_names_a_drill_that_ships() -> None:
    """``docker compose run --rm drill`` runs a file that exists and is right."""
    verb, *arguments = SERVICES["drill"]["command"]

    planned = subprocess.run(
        [sys.executable, "-m", "chaosproxy", "plan", *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert verb == "run"
    assert planned.returncode == 0, planned.stderr


def test_only_the_operators_machine_reaches_the_published_ports() -> None:
    """Ports are published on loopback: a drill opens nothing to the network."""
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_image_is_built_from_files_that_exist() -> None:
    """What the Dockerfile names is there and is not kept out by .dockerignore."""
    text = (ROOT / "Dockerfile").read_text()
    allowed = (ROOT / ".dockerignore").read_text().splitlines()

    (lock,) = re.findall(r"-r (\S+)", text)
    assert (ROOT / lock).is_file()
    assert any(line.lstrip("!").rstrip("/") in ("requirements", lock) for line in allowed if line.startswith("!"))
    assert os.access(ROOT / "pyproject.toml", os.R_OK)
