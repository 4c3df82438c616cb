"""Toxiproxy servers for tests: one of ours that does what it is told, and the real one."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any
from urllib.parse import unquote

import pytest

from benchmarks.peers import toxiproxy
from tests.e2e.drill import free_port

STARTS_WITHIN_S = 20.0


@dataclass
class Fake:
    """The state of a fake server, which carries no traffic. ``answers`` outdo what it would say to METHOD PATH."""

    url: str = ""
    proxies: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    held: dict[str, threading.Event] = field(default_factory=dict)
    """Requests that wait for an event before they are carried out."""
    asked: list[str] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        """Carry out a request; status and body."""
        line = f"{method} {path}"
        with self.news:
            self.asked.append(line)
            self.news.notify_all()
        if line in self.held:
            self.held[line].wait()
        if line in self.answers:
            return self.answers[line]
        parts, said = [unquote(part) for part in path.strip("/").split("/")], json.loads(body) if body else {}
        match parts, method:
            case ["version"], "GET":
                return 200, '{"version": "2.12.0"}\n'
            case ["proxies"], "GET":
                return 200, json.dumps(self.proxies)
            case ["proxies"], "POST":
                return 201, json.dumps(self.add(**said))
        return self._change(method, parts[1:], said)

    def _change(self, method: str, parts: list[str], said: dict[str, Any]) -> tuple[int, str]:
        """Something of one proxy."""
        if not parts or parts[0] not in self.proxies:
            return 404, '{"error":"proxy not found","status":404}\n'
        proxy = self.proxies[parts[0]]
        match parts[1:], method:
            case [], "DELETE":
                del self.proxies[parts[0]]
            case [], "POST":
                proxy.update(said)
            case ["toxics"], "POST":
                proxy["toxics"].append(said)
            case ["toxics", toxic], "DELETE" if toxic in self.toxics(parts[0]):
                proxy["toxics"] = [each for each in proxy["toxics"] if each["name"] != toxic]
            case _:
                return 404, '{"error":"toxic not found","status":404}\n'
        return (204, "") if method == "DELETE" else (200, json.dumps(said if parts[1:] else proxy))

    def wait_asked(self, line: str, times: int = 1) -> None:
        """Wait until it has been asked this, so many times; for a thread."""
        with self.news:
            assert self.news.wait_for(lambda: self.asked.count(line) >= times, STARTS_WITHIN_S), self.asked

    def add(
        self,
        name: str,
        listen: str = "127.0.0.1:20000",
        upstream: str = "127.0.0.1:1",
        *,
        enabled: bool = True,
        toxics: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """A proxy that is there."""
        placed = [{"name": toxic, "type": "noop", "stream": "downstream", "toxicity": 1} for toxic in toxics]
        proxy = {"name": name, "listen": listen, "upstream": upstream, "enabled": enabled, "toxics": placed}
        self.proxies[name] = proxy
        return proxy

    def toxics(self, proxy: str) -> list[str]:
        """The names of the toxics on a proxy."""
        return [toxic["name"] for toxic in self.proxies[proxy]["toxics"]]


@contextmanager
def faking() -> Iterator[Fake]:
    """A fake server that runs."""
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, said = fake.answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(said.encode())))
            self.end_headers()
            self.wfile.write(said.encode())

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names that are called

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, TimeoutError):
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield fake
    finally:
        for event in fake.held.values():
            event.set()
        server.shutdown()
        serving.join()
        server.server_close()


# -------------------------------------------------------------------------------------------------------- the real one


@dataclass
class Real:
    """A real server that runs."""

    url: str
    process: subprocess.Popen[bytes]

    def proxies(self) -> Any:
        """GET /proxies."""
        return self.ask("GET", "/proxies")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request of a user's, past everything of ours."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)  # noqa: S310 - a server of the test's
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            said = answer.read()
        return json.loads(said) if said else None


@contextmanager
def real_server() -> Iterator[Real]:
    """A Toxiproxy server of its authors'; skips where it is not installed."""
    peer = toxiproxy()
    if peer.missing is not None:
        pytest.skip(f"no Toxiproxy server: {peer.missing}")
    port = free_port()
    words = [str(peer.program), "-host", "127.0.0.1", "-port", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Real(f"http://127.0.0.1:{port}", process)
    try:
        _wait(server)
        yield server
    finally:
        process.kill()
        process.wait()


def _wait(server: Real) -> None:
    end = monotonic() + STARTS_WITHIN_S
    while True:
        try:
            server.ask("GET", "/version")
        except OSError:
            assert monotonic() < end, "the Toxiproxy server did not start"
            sleep(0.05)
        else:
            return
