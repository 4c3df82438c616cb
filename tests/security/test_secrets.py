"""Secrets that pass through a proxy, its environment and its failures are in nothing that it writes or says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.cli.command import chaosproxy
from tests.e2e.drill import drill, free_port, small
from tests.functional.wire_kit import plain
from tests.security.raw_kit import attack, front, recorder

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SECRETS = {
    "header": "sk-header-0a1b2c",
    "key": "sk-key-3d4e5f",
    "cookie": "cookie-6a7b8c",
    "query": "sk-query-9d0e1f",
    "user": "user-2a3b4c",
    "password": "hunter2-5d6e7f",
    "prompt": "merger-8a9b0c",
    "answer": "answer-1d2e3f",
    "error": "sk-error-4a5b6c",
    "reason": "reason-7d8e9f",
    "token": "token-of-the-control-api-0f1e2d",
    "proxy_user": "proxyuser-3c4b5a",
    "proxy_password": "proxypass-6f7e8d",
    "guess": "guess-9c8b7a",
    "variable": "sk-variable-1a2b3c",
}
FAULTS = (
    "",
    "http.status code=500",
    "stream.truncate where=token:1",
    "conn.refuse",
    "time.stall where=token:1 hold=50ms",
)


def requests() -> list[bytes]:
    """Good ones and bad ones, with a secret in each place that there is."""
    body = json.dumps(
        {"model": "m", "stream": True, "messages": [{"role": "user", "content": SECRETS["prompt"]}]}
    ).encode()
    credentials = {
        "Authorization": f"Bearer {SECRETS['header']}",
        "x-api-key": SECRETS["key"],
        "Cookie": SECRETS["cookie"],
    }
    fields = "".join(f"{name}: {value}\r\n" for name, value in credentials.items())
    rest = f"Host: h\r\n{fields}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    query, user = SECRETS["query"], f"{SECRETS['user']}:{SECRETS['password']}"
    return [
        f"POST /v1/chat/completions?key={query} HTTP/1.1\r\n".encode() + rest,
        f"POST http://{user}@elsewhere/v1/chat/completions?key={query} HTTP/1.1\r\n".encode() + rest,
        f"POST http://{user}@elsewhere:99999/v1?key={query} HTTP/1.1\r\n".encode() + rest,
        f"POST /v1?key={query}#x HTTP/1.1\r\n".encode() + rest,
        f"POST /v1 with {query} HTTP/1.1\r\n".encode() + rest,
        f"GET /v1 HTTP/1.1\r\nHost: h\r\nAuthorization : Bearer {SECRETS['header']}\r\n\r\n".encode(),
        f"GET /v1 HTTP/1.1\r\nHost: h\r\nAuthorization: {SECRETS['header'] * 3000}\r\n\r\n".encode(),
        f"POST /v1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{SECRETS['prompt']}\r\n".encode(),
        f"{SECRETS['key']} /v1 HTTP/1.1\r\nHost: h\r\n\r\n".encode(),
    ]


def upstream_answer() -> bytes:
    """An error that quotes what it was asked with, as providers do."""
    words = {"error": {"message": f"Incorrect API key: {SECRETS['error']}", "type": SECRETS["answer"], "code": "x"}}
    fields = ("Content-Type: application/json", f"Set-Cookie: s={SECRETS['cookie']}", "Connection: close")
    return plain(json.dumps(words).encode(), f"401 {SECRETS['reason']}", *fields)


def found_in(said: dict[str, bytes]) -> list[tuple[str, str]]:
    """Where which secret stands."""
    return [
        (place, name) for place, text in said.items() for name, secret in SECRETS.items() if secret.encode() in text
    ]


def config(good: str, plain_port: int, folder: Path) -> Path:
    """Listeners with each fault, and with each kind of failure behind them."""
    listeners: dict[str, Any] = {
        f"good{number}": {"upstream": good, "faults": [fault] if fault else []} for number, fault in enumerate(FAULTS)
    }
    listeners |= {
        "refused": {"upstream": f"http://127.0.0.1:{free_port()}"},
        "tls": {"upstream": f"https://127.0.0.1:{plain_port}"},
        "unknown": {"upstream": "https://no-such-host.invalid"},
        "proxied": {"upstream": "http://upstream.invalid"},
    }
    path = folder / "proxies.yaml"
    path.write_text(f"listeners: {json.dumps(listeners)}\nallow_header_faults: true\n", encoding="utf-8")
    return path


async def look_around(control: str) -> dict[str, bytes]:
    """All that the control API tells, with the right token, a wrong one and none."""
    said: dict[str, bytes] = {}
    async with aiohttp.ClientSession() as session:
        for token in (SECRETS["token"], SECRETS["guess"], None):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            for path in ("/v1/status", "/v1/journal", "/v1/faults", "/metrics", f"/{SECRETS['query']}"):
                async with session.get(control + path, headers=headers) as answer:
                    said[f"{path} {answer.status}"] = await answer.read()
    return said


async def test_a_serving_process(tmp_path: Path) -> None:
    """Whatever is asked, fails and is broken: standard output, standard error, journal, control API and metrics."""
    out: dict[str, bytes] = {}
    async with recorder(upstream_answer()) as upstream:
        words = ["--config", str(config(upstream.url, upstream.port, tmp_path)), "--journal", str(tmp_path / "j.jsonl")]
        proxy = f"http://{SECRETS['proxy_user']}:{SECRETS['proxy_password']}@127.0.0.1:{free_port()}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-X", "dev", "-m", "chaosproxy", "serve", *words, "--control", "127.0.0.1:0"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={
                **os.environ,
                "CHAOSPROXY_TOKEN": SECRETS["token"],
                "LOG_LEVEL": "trace",
                "HTTP_PROXY": proxy,
                "http_proxy": proxy,
                "NO_PROXY": "127.0.0.1,no-such-host.invalid",
                "no_proxy": "127.0.0.1,no-such-host.invalid",
            },
        )
        assert process.stdout is not None
        try:
            first = await asyncio.wait_for(process.stdout.readline(), 60)
            ready = json.loads(first)
            for name, listener in ready["listeners"].items():
                for request in requests():
                    answer = await attack(listener["url"], request)
                    if b"x-chaosproxy-error" in answer.lower():
                        out[f"answer of ours at {name} to {request[:20]!r}"] = answer
            out |= await look_around(ready["control"])
        finally:
            process.send_signal(signal.SIGTERM)
        said, log = await asyncio.wait_for(process.communicate(), 60)

    out |= {"stdout": first + said, "stderr": log, "journal": (tmp_path / "j.jsonl").read_bytes()}
    assert SECRETS["header"].encode() in upstream.got
    assert out["journal"].count(b'"exchange"') > 10
    assert found_in(out) == []


LEAKY = """\
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"error": {"message": "wrong key ERROR", "type": "ANSWER", "code": "ERROR"}}).encode()
        self.send_response(401, "REASON")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_run_against_a_talkative_upstream(tmp_path: Path) -> None:
    """What an upstream's error quotes, and what stands in a variable that is called a key, is in no file of the run."""
    text = LEAKY.replace("ERROR", SECRETS["error"]).replace("ANSWER", SECRETS["answer"])
    (tmp_path / "leaky.py").write_text(text.replace("REASON", SECRETS["reason"]), encoding="utf-8")
    systems = {"models": {"command": [sys.executable, "leaky.py", "${port}"]}}
    request = {"timeout": "2s", "headers": {"x-api-key": "${api_key}"}}
    arrival = {"rate": "10/s", "process": "constant"}
    experiment = small(vars={"api_key": "none"}, systems=systems, load={"arrival": arrival, "request": request})
    ended = drill(tmp_path, experiment, "-D", f"api_key={SECRETS['variable']}")

    assert ended.directory is not None, ended.err
    said = {str(path): path.read_bytes() for path in ended.results.rglob("*") if path.is_file()}
    said |= {"stdout": ended.out.encode(), "stderr": ended.err.encode()}
    assert {"journal.jsonl", "report.json"} <= {Path(path).name for path in said}
    assert found_in(said) == []


async def test_a_journal_knows_paths_only() -> None:
    """Of a URL with a user, a password and a query it keeps the path."""
    user, password, query = SECRETS["user"], SECRETS["password"], SECRETS["query"]
    target = f"http://{user}:{password}@elsewhere/v1/models?key={query}"
    async with front() as at:
        await attack(at.url, f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        record = await at.journal.exchange()
        got = at.upstream.got

    assert record.path == "/v1/models"
    assert got.startswith(f"GET /v1/models?key={query} HTTP/1.1\r\n".encode())
    assert password.encode() not in got


@pytest.mark.parametrize(
    "upstream",
    [
        "https://{user}:{password}@h",
        "htps://{user}:{password}@h",
        "https://{user}:{password}@h:99999",
        "http://{user}:{password}@[h",
        "tcp://{user}:{password}@h:1",
        "{user}:{password}@h",
        "https://h/?key={query}",
        "tcp://h:1?key={query}",
    ],
)
def test_a_url_that_is_refused(upstream: str, tmp_path: Path) -> None:
    """On the command line and in a file: the message says what is wrong, and not as whom."""
    url = upstream.format(**SECRETS)
    path = tmp_path / "proxies.yaml"
    path.write_text(f"listeners: {{a: {{upstream: '{url}'}}}}\n", encoding="utf-8")
    for words in (("--upstream", url, "--listen", ":0"), ("--config", str(path))):
        ended = chaosproxy("serve", *words)
        assert (ended.code, found_in({"out": ended.out.encode(), "err": ended.err.encode()})) == (2, [])
        assert "upstream" in ended.err
