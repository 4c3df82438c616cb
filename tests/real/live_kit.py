"""A chain with a live page, as processes: traffic, a proxy with two listeners, a lab backend."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

PATIENCE_S = 60.0
CALLS_PER_S = 8.0
CALLS_MAX = 64
LISTENERS = ("primary", "secondary")


@dataclass
class Served:
    """A process of ours that has said where it is."""

    process: subprocess.Popen[str]
    reader: threading.Thread
    ready: dict[str, Any]

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)


def serve(*words: str, cwd: Path | None = None) -> Served:
    """``chaosproxy WORDS``, once it is ready."""
    argv = [sys.executable, "-m", "chaosproxy", *words]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=cwd)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    reader = threading.Thread(target=_read_away, args=(process.stdout,), daemon=True)
    reader.start()
    return Served(process, reader, ready)


def _read_away(journal: IO[str]) -> None:
    with journal:
        for _ in journal:
            pass


@dataclass
class Traffic:
    """Calls of a client that retries nothing, to one listener; ``outcomes`` are status codes or names of errors."""

    url: str
    path: str = "/v1/chat/completions"
    model: str = "m"
    outcomes: deque[int | str] = field(default_factory=lambda: deque(maxlen=10))
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until ``end``; a call does not wait for the one before it."""
        with ThreadPoolExecutor(CALLS_MAX) as pool:
            while not self._over.wait(1 / CALLS_PER_S):
                pool.submit(lambda: self.outcomes.append(self._call()))

    def wait_for(self, condition: Callable[[deque[int | str]], bool]) -> None:
        """Until the newest outcomes are so."""
        end = time.monotonic() + PATIENCE_S
        while not condition(self.outcomes.copy()):
            assert time.monotonic() < end, list(self.outcomes)
            time.sleep(0.05)

    def end(self) -> None:
        """No more calls."""
        self._over.set()

    def _call(self) -> int | str:
        question = {"model": self.model, "stream": True, "messages": [{"role": "user", "content": "Count to twenty."}]}
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=5)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", self.path, json.dumps(question).encode(), headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            return type(error).__name__
        else:
            return answer.status
        finally:
            connection.close()


@contextmanager
def traffic(url: str, calls: Traffic | None = None) -> Iterator[Traffic]:
    """Calls in a thread."""
    calls = calls or Traffic(url)
    thread = threading.Thread(target=calls.run, daemon=True)
    thread.start()
    try:
        yield calls
    finally:
        calls.end()
        thread.join(PATIENCE_S)


@dataclass
class Chain:
    """A backend, and the proxy in front of it, which can be ended and started anew at the same addresses."""

    folder: Path
    backend: Served
    words: Sequence[str]
    proxy: Served

    @property
    def page(self) -> str:
        """Where the live page is."""
        return f"{self.proxy.ready['control']}/"

    def url(self, listener: str) -> str:
        """Where a listener is."""
        return str(self.proxy.ready["listeners"][listener]["url"])

    def ask(self, method: str, path: str) -> int:
        """One request to the control API without a token; the status of its answer."""
        connection = HTTPConnection(urlsplit(self.page).netloc, timeout=PATIENCE_S)
        try:
            connection.request(method, f"/{path}")
            return connection.getresponse().status
        finally:
            connection.close()

    def again(self) -> None:
        """Start the proxy anew, where it was."""
        (self.folder / "proxies.yaml").write_text(_config(self.backend, [self.url(name) for name in LISTENERS]))
        control = urlsplit(self.page).netloc
        self.proxy = serve(*self.words, "--control", control, cwd=self.folder)


@contextmanager
def chain(folder: Path, *words: str) -> Iterator[Chain]:
    """``words`` go to ``chaosproxy serve``."""
    backend = serve("lab", "backend", "tokens=20", "ttft=20ms", "inter_token=5ms", "--listen", "127.0.0.1:0")
    try:
        (folder / "proxies.yaml").write_text(_config(backend, ["//127.0.0.1:0"] * len(LISTENERS)))
        command = ("serve", "--config", "proxies.yaml", "--json", *words)
        made = Chain(folder, backend, command, serve(*command, "--control", "127.0.0.1:0", cwd=folder))
        try:
            yield made
        finally:
            made.proxy.end()
    finally:
        backend.end()


def _config(backend: Served, addresses: Sequence[str]) -> str:
    upstream = backend.ready["url"]
    listeners = {
        name: {"listen": urlsplit(address).netloc, "upstream": upstream}
        for name, address in zip(LISTENERS, addresses, strict=True)
    }
    return json.dumps({"listeners": listeners})
