"""Two servers of one API: Toxiproxy's own and ours, as processes, and what is the same about their answers."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.peers import toxiproxy

SEED = "7"
START_S = 20.0
CALL_S = 40.0
"""Longer than the 25 s after which the reference gives up a request."""
_EPHEMERAL = re.compile(r"((?:127\.0\.0\.1|\[::1?\]|0\.0\.0\.0):)(\d{4,5})\b")
_REQUEST_ID = re.compile("[0-9a-v]{20}")
HEADERS = ("Content-Type", "X-Content-Type-Options", "Location", "Allow", "Connection")
"""Those that a client can see a difference by."""


@dataclass(frozen=True)
class Answer:
    """What came back. ``request_id`` says whether there was one, in its form."""

    status: int
    headers: Mapping[str, str | None]
    request_id: bool
    body: str

    @property
    def data(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Server:
    """One of the two as a process, with a connection to its API."""

    command: Sequence[str]
    port: int
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] = field(init=False)

    def launch(self) -> None:
        """Start the process."""
        environment = {**os.environ, "LOG_LEVEL": "error", **self.env}
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, env=environment)

    def wait(self) -> None:
        """Wait until it answers. Raises OSError."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.call("GET", "/version")
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def end(self) -> None:
        """SIGTERM, and SIGKILL for one that hangs: the reference waits for its requests."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def call(
        self, method: str, path: str, body: Any = b"", headers: Mapping[str, str] | None = None, timeout: float = CALL_S
    ) -> Answer:
        """One request on a connection of its own; ``body`` is sent as JSON unless it is bytes or text."""
        data = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, data or None, dict(headers or {}))
            response = connection.getresponse()
            content = response.read().decode()
            found = response.getheader("X-Toxiproxy-Request-Id")
            return Answer(
                response.status,
                {name: response.getheader(name) for name in HEADERS},
                found is not None and _REQUEST_ID.fullmatch(found) is not None,
                content,
            )
        finally:
            connection.close()

    def clean(self) -> None:
        """End all proxies."""
        for name in self.call("GET", "/proxies").data:
            self.call("DELETE", f"/proxies/{quote(name, safe='')}")


@contextmanager
def running(*servers: Server) -> Iterator[tuple[Server, ...]]:
    """All of them, started at the same time."""
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait()
        yield servers
    finally:
        for server in servers:
            server.end()


def real(*flags: str, env: Mapping[str, str] | None = None) -> Server:
    """Toxiproxy's own server."""
    port = free_port()
    command = [str(toxiproxy().program), "-host", "127.0.0.1", "-port", str(port), *flags]
    return Server(command, port, {"GODEBUG": "netdns=go", **(env or {})})  # the resolver that it has everywhere


def ours(*flags: str, env: Mapping[str, str] | None = None) -> Server:
    """Ours, told the same."""
    port = free_port()
    command = [sys.executable, "-m", "chaosproxy", "toxiproxy", "-host", "127.0.0.1", "-port", str(port), *flags]
    return Server(command, port, env or {})


@dataclass
class Twins:
    """Both servers."""

    real: Server
    ours: Server

    def clean(self) -> None:
        """Leave nothing of a case to the next one."""
        for server in (self.real, self.ours):
            server.clean()


def same_ports(answers: Sequence[Answer], known: Mapping[str, str]) -> list[Answer]:
    """Ports that a system chose, as numbers in the order of their coming; ``known`` ones by their names."""
    names = dict(known)

    def name(match: re.Match[str]) -> str:
        port = match[2]
        if port not in names:
            names[port] = f"@{len(names)}@"
        return match[1] + names[port]

    return [Answer(each.status, each.headers, each.request_id, _EPHEMERAL.sub(name, each.body)) for each in answers]


def deviations() -> dict[str, str]:
    """The list in the documentation: name and what it says."""
    page = Path(__file__).parents[2] / "docs" / "toxiproxy.md"
    rows = re.findall(r"^\| `([a-z0-9][a-z0-9-]*)` \| (.*) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows)
