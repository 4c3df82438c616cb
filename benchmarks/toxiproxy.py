"""Toxiproxy for comparison: its server on one core, driven through its HTTP interface."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from benchmarks.processes import END_S, POLL_S, READY_S, BenchmarkFailed, pinned


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    pid: int
    url: str

    def add(self, name: str, upstream_port: int) -> int:
        """A proxy in front of a port of this machine; its own port."""
        made = self._post("/proxies", name=name, listen="127.0.0.1:0", upstream=f"127.0.0.1:{upstream_port}")
        return int(made["listen"].rpartition(":")[2])

    def delay(self, name: str, latency_ms: int) -> None:
        """Add latency to what comes from a proxy's upstream."""
        self._post(f"/proxies/{name}/toxics", type="latency", attributes={"latency": latency_ms})

    def answers(self) -> bool:
        """Whether it is ready."""
        try:
            self._call("/version", None)
        except URLError:
            return False
        return True

    def _post(self, path: str, **fields: object) -> Any:
        return json.loads(self._call(path, json.dumps(fields).encode()))

    def _call(self, path: str, body: bytes | None) -> bytes:
        request = Request(f"{self.url}{path}", body)  # noqa: S310 - http on loopback
        with build_opener(ProxyHandler({})).open(request, timeout=END_S) as answer:
            answered: bytes = answer.read()
        return answered


def free_port() -> int:
    """A port that nobody uses at this moment, for servers that cannot choose one themselves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def server(program: Path, core: int | None) -> Iterator[Server]:
    """Start ``program``, a toxiproxy-server, with one thread of Go code at a time. Raises BenchmarkFailed."""
    port = free_port()
    words = [*pinned(core), str(program), "-host", "127.0.0.1", "-port", str(port)]
    environment = {**os.environ, "GOMAXPROCS": "1", "LOG_LEVEL": "error"}
    try:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    except OSError as error:
        raise BenchmarkFailed(f"{program}: {error}") from error
    with process:
        try:
            running = Server(process.pid, f"http://127.0.0.1:{port}")
            _await(running, process)
            yield running
        finally:
            process.terminate()


def _await(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(int(READY_S / POLL_S)):
        if server.answers():
            return
        if process.poll() is not None:
            break
        time.sleep(POLL_S)
    raise BenchmarkFailed(f"toxiproxy-server did not start: {process.args!r}")
