"""The chain of docs/how-to/game-day.md with its traffic, for pictures: its files are read from that page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "game-day.md"
CALLS_PER_S = 8.0
CALLS_MAX = 64
PATIENCE_S = 30.0


@contextmanager
def live_scene(folder: Path) -> Iterator[str]:
    """The address of the live page."""
    proxies, experiment = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (folder / "proxies.yaml").write_text(proxies)
    (folder / "game-day").mkdir()
    (folder / "game-day" / "primary-goes-dark.yaml").write_text(experiment)
    with ExitStack() as parts:
        for port in (8000, 8001):
            listen = f"127.0.0.1:{port}"
            parts.enter_context(_part(folder, "lab", "backend", "tokens=60", "inter_token=30ms", "--listen", listen))
        words = ("--config", "proxies.yaml", "--control", "127.0.0.1:8666", "--experiments", "game-day", "--json")
        ready = parts.enter_context(_part(folder, "serve", *words))
        upstreams = ("--upstream", "primary=http://127.0.0.1:9001", "--upstream", "secondary=http://127.0.0.1:9002")
        parts.enter_context(_part(folder, "lab", "gateway", *upstreams))
        parts.enter_context(_traffic())
        yield ready["control"]


@contextmanager
def _part(folder: Path, *words: str) -> Iterator[dict[str, Any]]:
    """``chaosproxy WORDS``; what it says when it is ready."""
    argv = [sys.executable, "-m", "chaosproxy", *words]
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:  # noqa: S603 - ours
        if process.stdout is None:
            raise ValueError(words)
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        reader = threading.Thread(target=list, args=(process.stdout,), daemon=True)  # nobody reads the rest
        reader.start()
        try:
            yield ready
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
            reader.join(PATIENCE_S)


@contextmanager
def _traffic() -> Iterator[None]:
    over = threading.Event()

    def run() -> None:
        with ThreadPoolExecutor(CALLS_MAX) as pool:
            while not over.wait(1 / CALLS_PER_S):
                pool.submit(_call)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE_S)


def _call() -> None:
    question = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Count to sixty."}]}
    connection = HTTPConnection("127.0.0.1", 8080, timeout=15)
    with suppress(OSError, HTTPException):
        fields = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(question).encode(), fields)
        connection.getresponse().read()
    connection.close()
