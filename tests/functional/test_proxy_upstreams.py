"""The way to the upstream: TLS, forward proxies, base paths."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chaosproxy.errors import UserError
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Answer, Journal, answers, ask, bench, call, plain, read_request, upstream

CERTIFICATE = Path(__file__).parent / "certificates" / "localhost.pem"
"""Self-signed, with its key; made for these tests and used nowhere else."""


async def _call_over_tls(ca: str | None) -> Answer:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(plain(b"secret"))
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    spec = ListenerSpec("a", ":0", f"https://localhost:{port}")
    async with server, Proxy([spec], record=Journal().add, ca=ca) as proxy:
        return await call(proxy.urls["a"], ask())


async def test_certificates_of_ones_own_are_trusted() -> None:
    """With ``ca`` an upstream behind a private authority can be reached."""
    assert (await _call_over_tls(str(CERTIFICATE))).body == b"secret"


async def test_certificates_are_verified() -> None:
    """Without it the exchange fails, and the client is told why."""
    answer = await _call_over_tls(None)

    assert answer.status == 502
    assert "x-chaosproxy-error: tls" in answer.fields


async def test_a_bad_ca_file_is_said_in_words(tmp_path: Path) -> None:
    """A file that is missing or holds no certificate is the user's mistake."""
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("nonsense")
    for path in (tmp_path / "none.pem", nonsense):
        with pytest.raises(UserError, match="cannot read certificates from"):
            await Proxy([], record=Journal().add, ca=str(path)).start()


async def test_http_proxy_and_no_proxy_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment decides the way to the upstream, as for every other program."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with upstream(answers(plain(b"direct"))) as direct, upstream(answers(plain(b"forwarded"))) as forward:
        spec = ListenerSpec("a", ":0", direct.url)
        monkeypatch.setenv("http_proxy", forward.url)
        async with Proxy([spec], record=Journal().add) as proxy:
            assert (await call(proxy.urls["a"], ask())).body == b"forwarded"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with Proxy([spec], record=Journal().add) as proxy:
            assert (await call(proxy.urls["a"], ask())).body == b"direct"

    assert forward.requests[0].line.startswith(f"POST {direct.url}/")


async def test_the_first_404_behind_a_base_path_is_explained() -> None:
    """Once, in the log; the answer itself passes as it is."""
    with capture_logs() as logs:
        async with bench(answers(plain(b"{}", "404 Not Found")), base_path="/v2") as at:
            statuses = [(await call(at.url, ask())).status for _ in range(2)]
            await at.journal.exchange(2)

    assert statuses == [404, 404]
    assert at.upstream.requests[0].line == "POST /v2/v1/chat/completions HTTP/1.1"
    assert [entry["event"] for entry in logs] == ["upstream_404"]
    assert "base path /v2" in logs[0]["explanation"]
