"""The upstream is the operator's choice: nothing that a client or an upstream sends makes anybody ask elsewhere."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from chaosproxy.experiment.probe_kinds import HttpProbe, PrometheusProbe
from chaosproxy.probes import http, prometheus
from chaosproxy.toxics.server.api import ToxiproxyApi
from tests.cli.command import chaosproxy
from tests.functional.wire_kit import plain
from tests.security.raw_kit import Recorder, answered, attack, front, post, recorder


def towards(decoy: Recorder) -> dict[str, bytes]:
    """Requests that name another server in each way that there is."""
    there = decoy.url.removeprefix("http://").encode()
    url = decoy.url.encode()
    return {
        "Host": b"GET /x HTTP/1.1\r\nHost: %b\r\n\r\n" % there,
        "URL": b"GET %b/x HTTP/1.1\r\nHost: h\r\n\r\n" % url,
        "URL with a user": b"GET http://me:secret@%b/x HTTP/1.1\r\nHost: h\r\n\r\n" % there,
        "X-Forwarded-Host": post(b"X-Forwarded-Host: %b\r\nX-Forwarded-Proto: http\r\n" % there),
        "Forwarded": post(b"Forwarded: host=%b;proto=http\r\n" % there),
        "X-Original-URL": post(b"X-Original-URL: %b/x\r\nX-Rewrite-URL: %b/x\r\n" % (url, url)),
        "query": b"GET /x?url=%b&target=%b HTTP/1.1\r\nHost: h\r\n\r\n" % (url, url),
        "user in a Host": b"GET /x HTTP/1.1\r\nHost: h@%b\r\n\r\n" % there,
        "slashes": b"GET //%b/x HTTP/1.1\r\nHost: h\r\n\r\n" % there,
    }


async def test_no_request_chooses_its_upstream() -> None:
    """All of them arrive at the upstream that stands in the file, with its name in Host."""
    async with recorder() as decoy, front() as at:
        here = at.upstream.url.removeprefix("http://").encode()
        for number, request in enumerate(towards(decoy).values(), 1):
            await answered(at.url, request)
            assert at.upstream.got.count(b"Host: " + here + b"\r\n") == number
        got = at.upstream.got

    assert decoy.streams == []
    assert b"secret" not in got


async def test_a_redirect_is_the_clients_business() -> None:
    """It passes as it came; the proxy asks nobody."""
    async with recorder() as decoy:
        redirect = plain(b"", "307 Temporary Redirect", f"Location: {decoy.url}/x")
        async with front(redirect) as at:
            head = await answered(at.url, post(b""))

    assert f"Location: {decoy.url}/x\r\n".encode() in head
    assert decoy.streams == []


@pytest.mark.parametrize("kind", ["http", "prometheus"])
async def test_probes_follow_no_redirect(kind: str) -> None:
    """Their header fields may hold a key, which another server must not get."""
    async with recorder() as decoy, recorder(plain(b"", "302 Found", f"Location: {decoy.url}/x")) as asked:
        headers = {"x-api-key": "secret"}
        if kind == "http":
            probe: Any = HttpProbe.model_validate({"id": "p", "http": asked.url, "headers": headers})
            await http.look(probe)
        else:
            values = {"id": "p", "prometheus": asked.url, "query": "up", "headers": headers, "expect": "> 0"}
            await prometheus.look(PrometheusProbe.model_validate(values))

    assert b"secret" in asked.got
    assert decoy.streams == []


async def test_no_tunnel_is_opened() -> None:
    """CONNECT is answered with an error, whatever it names."""
    async with recorder() as decoy, front() as at:
        there = decoy.url.removeprefix("http://").encode()
        answer = await attack(at.url, b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (there, there))

    assert answer.startswith(b"HTTP/1.1 501 ")
    assert (decoy.streams, at.upstream.streams) == ([], [])


async def test_a_base_path_is_no_wall() -> None:
    """It goes before the path of a request, whose dots are left to the upstream: it arrives byte for byte."""
    async with front(base_path="/tenant") as at:
        await answered(at.url, b"GET /../other HTTP/1.1\r\nHost: h\r\n\r\n")
        got = at.upstream.got

    assert got.startswith(b"GET /tenant/../other HTTP/1.1\r\n")


async def test_host_ends_here_and_origin_passes() -> None:
    """An upstream that trusts the pages of this machine has to look at Origin: Host is always its own name."""
    async with front() as at:
        await answered(at.url, b"GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n")
        got = at.upstream.got

    assert b"Host: evil.example" not in got
    assert b"Origin: http://evil.example\r\n" in got


async def test_the_toxiproxy_api_refuses_browsers() -> None:
    """It has no token, and whoever reaches it opens ports to anywhere: no web page may."""
    body = {"name": "p", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1"}
    async with ToxiproxyApi(listen="127.0.0.1:0", seed=1) as api, aiohttp.ClientSession() as session:
        url = f"http://{api.address}/proxies"
        async with session.post(url, json=body, headers={"User-Agent": "Mozilla/5.0"}) as answer:
            assert answer.status == 403
        assert list(api.collection.proxies()) == []
        assert api.is_loopback


def test_listeners_are_on_loopback_unless_told_otherwise() -> None:
    """An address without a host is this machine alone, in all commands that listen."""
    for command in ("serve", "toxiproxy"):
        assert "127.0.0.1" in chaosproxy(command, "--help").out
