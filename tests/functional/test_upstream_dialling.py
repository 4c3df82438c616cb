"""Opening a connection to an upstream: names, TLS, forward proxies, and what is said when it fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chaosproxy.errors import UserError
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.target import Target
from chaosproxy.proxy.upstream.dial import ForwardProxy
from tests.functional.asking_kit import PATIENCE_S, asking, on_each_loop, question, serving
from tests.functional.wire_kit import LAST_CHUNK, SSE_HEAD, answers, chunk, plain, read_request, upstream

CERTIFICATE = str(Path(__file__).parent / "certificates" / "localhost.pem")
"""For localhost and 127.0.0.1; self-signed, with its key."""
BIG = chunk(b"x" * 300_000)
"""More than one TLS record, and more than one read."""


@pytest.fixture(autouse=True)
def _no_proxy_around_us(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def tls() -> ssl.SSLContext:
    """Of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def answer_over_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The same answer to each request of a connection."""
    while True:
        await read_request(reader)
        writer.write(SSE_HEAD + chunk(b"first") + BIG + LAST_CHUNK)
        await writer.drain()


@asynccontextmanager
async def forward_proxy(answer: bytes, heads: list[str]) -> AsyncIterator[int]:
    """Notes what it is asked, answers, and becomes a tunnel to where CONNECT says."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(answer)
        if not answer.startswith(b"HTTP/1.1 20"):
            return
        host, _, port = heads[-1].split(" ")[1].rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))
        finally:
            far_writer.transport.abort()

    async with serving(serve) as port:
        yield port


@on_each_loop
async def test_tls_connections_are_used_again() -> None:
    """A body of many records arrives whole, and the handshake is paid once."""
    async with (
        serving(answer_over_tls, ssl=tls()) as port,
        asking(f"https://localhost:{port}", ca=CERTIFICATE) as edge,
    ):
        for _ in range(3):
            receiver = await edge()[0].over()
            assert receiver.body == b"first" + b"x" * 300_000
            assert len(edge.upstream.pool) == 1


@pytest.mark.parametrize(
    ("host", "ca", "failure"),
    [
        ("127.0.0.2", CERTIFICATE, "IP address mismatch, certificate is not valid for '127.0.0.2'"),
        ("localhost", None, "self-signed certificate"),
    ],
)
@on_each_loop
async def test_a_certificate_is_for_its_host_and_from_somebody_we_trust(
    host: str, ca: str | None, failure: str
) -> None:
    """Else nothing is sent, and the words say what is wrong."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1))

    async with serving(serve, host, ssl=tls()) as port, asking(f"https://{host}:{port}", ca=ca) as edge:
        receiver = await edge()[0].over()

    assert receiver.failure.startswith(f"tls: https://{host}:{port}: ")
    assert failure in receiver.failure
    assert asked in ([], [b""])


@on_each_loop
async def test_a_handshake_has_its_time() -> None:
    """A server that accepts and says nothing is a timeout, and the connection is given up."""
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        left.set()

    async with serving(serve) as port, asking(f"https://localhost:{port}", Limits(connect_s=0.1), CERTIFICATE) as edge:
        receiver = await edge()[0].over()
        async with asyncio.timeout(PATIENCE_S):
            await left.wait()

    assert receiver.failure == f"timeout: https://localhost:{port}: no connection in time"


@on_each_loop
async def test_plain_text_where_tls_is_expected() -> None:
    """A server that answers in the clear is no partner for TLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(plain(b"{}", "400 Bad Request"))
        await writer.drain()
        await reader.read()

    async with serving(serve) as port, asking(f"https://localhost:{port}", ca=CERTIFICATE) as edge:
        receiver = await edge()[0].over()

    assert receiver.failure.startswith(f"tls: https://localhost:{port}: ")


@on_each_loop
async def test_tls_where_plain_text_is_expected() -> None:
    """A server that closes on what is no handshake gave no answer; one that sends an alert speaks no HTTP."""
    async with serving(answer_over_tls, ssl=tls()) as port, asking(f"http://localhost:{port}") as edge:
        receiver = await edge()[0].over()

    assert receiver.error is not None
    assert receiver.error.kind in ("reset", "protocol")


@pytest.mark.parametrize("host", ["no.such.host.invalid", f"{'a' * 70}.invalid", "a..b"])
async def test_a_name_that_nobody_knows(host: str) -> None:
    """It fails at once, and again when it is asked again; also for what cannot be a name at all."""
    async with asking(f"http://{host}:1") as edge:
        for _ in range(2):
            receiver = await edge()[0].over()
            assert receiver.failure.startswith(f"connect: http://{host}:1: ")


@on_each_loop
async def test_https_goes_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each connection, with the credentials of the proxy's URL, which the upstream never sees."""
    heads: list[str] = []
    async with (
        forward_proxy(b"HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", heads) as proxy_port,
        serving(answer_over_tls, ssl=tls()) as port,
    ):
        monkeypatch.setenv("https_proxy", f"http://us%40er:pa%3Ass@127.0.0.1:{proxy_port}")
        async with asking(f"https://localhost:{port}", ca=CERTIFICATE) as edge:
            for _ in range(2):
                assert (await edge()[0].over()).body == b"first" + b"x" * 300_000
            assert b"Authorization" not in b"".join(edge.upstream.request(question()))

    place = f"localhost:{port}"
    assert heads == [
        f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nProxy-Authorization: Basic dXNAZXI6cGE6c3M=\r\n\r\n"
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "it refused connect with 407"),
        (b"nonsense\r\n\r\n", "it did not answer in http: no http status line"),
        (b"", "it gave no answer to connect"),
    ],
)
@on_each_loop
async def test_a_forward_proxy_that_opens_no_tunnel(monkeypatch: pytest.MonkeyPatch, answer: bytes, words: str) -> None:
    """The words name it, so that nobody looks for the mistake at the upstream."""
    async with forward_proxy(answer, []) as port:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        async with asking("https://upstream.example") as edge:
            receiver = await edge()[0].over()

    through = f"https://upstream.example through the forward proxy 127.0.0.1:{port}"
    assert receiver.failure == f"connect: {through}: {words}"


async def test_a_forward_proxy_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named as well."""
    async with upstream(answers(b"")) as gone:
        monkeypatch.setenv("http_proxy", gone.url)
    async with asking("http://upstream.example") as edge:
        receiver = await edge()[0].over()

    place = gone.url.removeprefix("http://")
    assert receiver.failure.startswith(f"connect: http://upstream.example through the forward proxy {place}: ")


async def test_http_is_asked_of_the_forward_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """In absolute form, with the upstream's name as Host and the credentials of the proxy's URL."""
    async with upstream(answers(plain(b"forwarded"))) as forward:
        monkeypatch.setenv("http_proxy", forward.url.replace("http://", "http://me:secret@"))
        async with asking("http://upstream.example/v1") as edge:
            assert (await edge(question("GET"))[0].over()).body == b"forwarded"

    (request,) = forward.requests
    assert request.line == "GET http://upstream.example/v1/x HTTP/1.1"
    assert request.fields == ["Host: upstream.example", "Proxy-Authorization: Basic bWU6c2VjcmV0"]


@pytest.mark.parametrize(
    ("url", "place"), [("http://h:3128", ("h", 3128)), ("h:3128", ("h", 3128)), ("http://[::1]", ("::1", 80))]
)
def test_the_url_of_a_forward_proxy(url: str, place: tuple[str, int]) -> None:
    """A scheme may be missing, as it often is in the environment."""
    proxy = ForwardProxy(url)

    assert (proxy.host, proxy.port) == place


@pytest.mark.parametrize("url", ["socks5://u:secret@h:1080", "http://", "http://u:secret@h:99999", "http://h:port"])
def test_what_is_no_forward_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said at the start, without the password."""
    monkeypatch.setenv("http_proxy", url)
    with pytest.raises(UserError) as caught:
        ForwardProxy.towards(Target("http://upstream.example"))

    assert "forward proxy" in str(caught.value)
    assert "secret" not in str(caught.value)
