from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import pytest

from chaosproxy.experiment.probe import Scene, Seen
from chaosproxy.experiment.probe_kinds import HttpProbe, PrometheusProbe, TcpProbe
from chaosproxy.probes.http import judged
from chaosproxy.probes.looking import begin
from chaosproxy.probes.prometheus import result_of
from chaosproxy.probes.tcp import address


@asynccontextmanager
async def server(answer: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """A server of one answer per connection; ``answer`` gets the head of the request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # a TCP probe says nothing
            writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def page(body: str, status: str = "200 OK") -> bytes:
    """A whole answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()


def closed_port() -> int:
    """Nobody listens there."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def seen_by(probe: Any, scene: Scene | None = None) -> Seen:
    """One look."""
    return await (await begin(probe, scene or Scene()))()


def http(url: str, **settings: Any) -> HttpProbe:
    """An HTTP probe."""
    return HttpProbe.model_validate({"id": "p", "http": url, **settings})


class TestHttp:
    async def test_asks_as_it_is_told(self) -> None:
        """Method, path and header fields, and a value that is a time."""
        asked: list[bytes] = []

        def answer(head: bytes) -> bytes:
            asked.append(head)
            return page("fine")

        async with server(answer) as url:
            probe = http("${entry}/health?full=1", method="POST", headers={"x-key": "k1"})
            seen = await seen_by(probe, Scene({"entry": url}))

        assert asked[0].startswith(b"POST /health?full=1 HTTP/1.1\r\n")
        assert b"x-key: k1\r\n" in asked[0]
        assert seen.outcome == "ok"
        assert seen.value is not None
        assert 0 < seen.value < 5

    async def test_a_number_in_its_json_can_be_its_value(self) -> None:
        """Whatever is no number is no value."""
        async with server(lambda _: page('{"queue": {"depth": 3, "name": "a", "full": true}}')) as url:
            depths = [(await seen_by(http(url, value=f"queue.{key}"))).value for key in ("depth", "name", "none")]

        assert depths == [3.0, None, None]

    async def test_a_redirect_is_an_answer(self) -> None:
        """What stands behind it is another question."""
        async with server(lambda _: page("", "302 Found\r\nLocation: http://127.0.0.1:1/")) as url:
            assert (await seen_by(http(url, expect={"status": 302}))).outcome == "ok"

    async def test_a_refused_connection_is_a_failure(self) -> None:
        """It was looked at."""
        url = f"http://127.0.0.1:{closed_port()}/"

        assert await seen_by(http(url)) == Seen("failed", None, "connection refused")

    async def test_a_broken_answer_is_a_failure(self) -> None:
        """Before its head, and inside of its body."""
        for broken in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"):
            async with server(lambda _, broken=broken: broken) as url:  # type: ignore[misc]
                seen = await seen_by(http(url))
            assert (seen.outcome, seen.detail) == ("failed", "the connection broke before the answer was whole")

    async def test_no_http_is_a_failure(self) -> None:
        """Somebody answered, and not as they should."""
        async with server(lambda _: b"hello\r\n\r\n") as url:
            assert (await seen_by(http(url))).outcome == "failed"

    async def test_a_name_that_nobody_knows_could_not_be_looked_at(self) -> None:
        """Nobody was asked. The name is reserved for this (RFC 6761)."""
        seen = await seen_by(http("http://nowhere.invalid/"))

        assert seen == Seen("unknown", None, "the host's name cannot be resolved")


BODY = json.dumps({"status": "ready", "n": 3, "up": True, "none": None, "data": [{"name": "a"}]})


@pytest.mark.parametrize(
    ("expect", "status", "words"),
    [
        ({}, 399, ""),
        ({}, 400, "status 400"),
        ({"status": 200}, 204, "status 204, expected 200"),
        ({"status": [200, 503]}, 503, ""),
        ({"status": ["200", "201"]}, 404, "status 404, expected 200 or 201"),
        ({"body": "re.dy"}, 200, ""),
        ({"body": "^ready"}, 200, "the body does not match"),
        ({"json": {"status": "ready", "n": "3", "up": "true", "none": "null", "data.0.name": "a"}}, 200, ""),
        ({"json": {"$.n": "3.0"}}, 200, ""),
        ({"json": {"status": "sick"}}, 200, "status in the JSON is another text, which is not what is expected"),
        ({"json": {"n": "4"}}, 200, "n in the JSON is 3, which is not what is expected"),
        ({"json": {"up": "1"}}, 200, "up in the JSON is true, which is not what is expected"),
        ({"json": {"data": "x"}}, 200, "data in the JSON is a list, which is not what is expected"),
        ({"json": {"data.1.name": "a"}}, 200, "the JSON has no data.1.name"),
        ({"json": {"status.name": "a"}}, 200, "the JSON has no status.name"),
        ({"within": "500ms"}, 200, ""),
        ({"within": "200ms"}, 200, "it took 300ms, expected within 200ms"),
    ],
)
def test_an_answer_is_judged_in_words(expect: Any, status: int, words: str) -> None:
    """Everything that is expected must be so; texts of the body are not repeated."""
    seen = judged(http("http://h/", expect=expect).expect, status, BODY.encode(), 0.3)

    assert (seen.outcome, seen.detail, seen.value) == ("failed" if words else "ok", words, 0.3)


def test_a_body_that_is_no_json_is_said_to_be_none() -> None:
    """Where JSON was expected."""
    expect = http("http://h/", expect={"json": {"a": "b"}}).expect

    assert judged(expect, 200, b"<html>", 0.1).detail == "the body is no JSON"


class TestTcp:
    async def test_accepted_or_refused(self) -> None:
        """By address, and by a URL that has one."""
        async with server(lambda _: b"") as url:
            good = await seen_by(TcpProbe(id="p", tcp=url.removeprefix("http://")))
            same = await seen_by(TcpProbe(id="p", tcp="${listener.a}"), Scene({"listener.a": url}))
        refused = await seen_by(TcpProbe(id="p", tcp=f"127.0.0.1:{closed_port()}"))

        assert (good.outcome, same.outcome) == ("ok", "ok")
        assert refused == Seen("failed", None, "connection refused")

    async def test_an_unknown_name_could_not_be_looked_at(self) -> None:
        """As with HTTP."""
        assert (await seen_by(TcpProbe(id="p", tcp="nowhere.invalid:80"))).outcome == "unknown"

    @pytest.mark.parametrize(
        ("target", "found"),
        [
            ("h:1", ("h", 1)),
            ("[::1]:80", ("::1", 80)),
            ("http://h:81/x", ("h", 81)),
            ("https://h", ("h", 443)),
            ("http://h", ("h", 80)),
        ],
    )
    def test_addresses_are_read(self, target: str, found: tuple[str, int]) -> None:
        """With and without brackets, and of URLs."""
        assert address(target) == found


def answer_of(*values: Any, kind: str = "vector") -> dict[str, Any]:
    """An answer of the query API with so many series."""
    result: Any = [{"metric": {}, "value": [1.0, value]} for value in values]
    return {"status": "success", "data": {"resultType": kind, "result": result if kind == "vector" else values}}


class TestPrometheus:
    @pytest.mark.parametrize(
        ("number", "outcome", "detail"),
        [("0.95", "ok", ""), ("0.5", "failed", "the result is 0.5, expected > 0.9")],
    )
    async def test_the_number_is_compared(self, number: str, outcome: str, detail: str) -> None:
        """The query is sent as it is, and the number is the value."""
        asked: list[bytes] = []

        def answer(head: bytes) -> bytes:
            asked.append(head)
            return page(json.dumps(answer_of(number)))

        async with server(answer) as url:
            probe = PrometheusProbe.model_validate(
                {"id": "p", "prometheus": f"{url}/", "query": "sum(up) > 1", "expect": "> 0.9"}
            )
            seen = await seen_by(probe)

        assert seen == Seen(outcome, float(number), detail)  # type: ignore[arg-type]
        assert asked[0].startswith(b"GET /api/v1/query?query=sum(up)+%3E+1 ")

    async def test_a_server_that_is_down_says_nothing_about_the_system(self) -> None:
        """Unknown, with the reason."""
        probe = PrometheusProbe(id="p", prometheus=f"http://127.0.0.1:{closed_port()}", query="up")

        assert await seen_by(probe) == Seen("unknown", None, "the Prometheus server: connection refused")

    async def test_an_answer_that_is_no_json_is_none(self) -> None:
        """A proxy in between, say."""
        async with server(lambda _: page("<html>", "502 Bad Gateway")) as url:
            seen = await seen_by(PrometheusProbe(id="p", prometheus=url, query="up"))

        assert seen == Seen("unknown", None, "the Prometheus server: status 502")

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (answer_of(), "the query has no data"),
            (answer_of("1", "2"), "the query gives 2 series"),
            (answer_of("NaN"), "the result is nan"),
            (answer_of("x", kind="matrix"), "no single number"),
            ({"status": "error", "errorType": "bad_data"}, "status 400, bad_data"),
            ([], "status 400"),
            ({"status": "success"}, "an answer that cannot be read"),
        ],
    )
    def test_what_is_no_number_is_named(self, answer: Any, words: str) -> None:
        """Each in its words."""
        with pytest.raises(ValueError, match=words):
            result_of(400, answer)

    def test_a_scalar_is_one(self) -> None:
        """The query ``scalar(...)`` has no series."""
        scalar = {"status": "success", "data": {"resultType": "scalar", "result": [1.0, "2.5"]}}

        assert result_of(200, scalar) == 2.5
