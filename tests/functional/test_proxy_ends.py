"""How an answer may end, on the wire; and what a proxy does when one of its two ends fails."""

from __future__ import annotations

import asyncio
import json

import pytest

from chaosproxy.journal.records import Trouble
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import (
    DONE,
    SSE_HEAD,
    Bench,
    Client,
    Journal,
    Peer,
    Request,
    answers,
    ask,
    bench,
    call,
    chunk,
    events,
    plain,
    stream,
    upstream,
)


def apply(at: Bench, do: dict[str, object], **common: object) -> None:
    """One fault at the bench's listener, for a minute."""
    rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do, **common})
    at.proxy.apply([rule], owner="test", lease_s=60, seed=1)


@pytest.mark.parametrize(
    ("do", "ended", "sent"),
    [
        ({"type": "stream.truncate", "where": "token:3"}, "end", "end"),
        ({"type": "stream.truncate", "where": "token:3", "framing": "close"}, "end", "end"),
        ({"type": "stream.truncate", "where": "token:3", "framing": "length"}, "end", "end"),
        ({"type": "stream.fin", "where": "token:3"}, "fin", "fin"),
        ({"type": "stream.reset", "where": "token:3"}, "reset", "reset"),
    ],
)
async def test_a_stream_ends_in_the_middle(do: dict[str, object], ended: str, sent: str) -> None:
    """Three tokens arrive, then the chosen end; the journal knows what the upstream went on to send."""
    async with bench(answers(stream(events(8)))) as at:
        apply(at, do)
        answer = await call(at.url, ask())
        record = await at.journal.exchange()

    assert answer.ended == ended
    assert answer.body == b"".join(events(8)[:3])
    assert (record.sent.ended, record.sent.tokens, record.sent.terminal) == (sent, 3, False)
    assert (record.received.ended, record.received.events, record.received.terminal) == ("end", 9, True)
    assert record.received.text.chars > record.sent.text.chars > 0


async def test_a_client_that_knows_no_chunks_takes_a_fin_for_the_end() -> None:
    """HTTP/1.0 has no other end for a body without a length: what is cut there is passed off as whole."""
    async with bench(answers(stream(events(8)))) as at:
        apply(at, {"type": "stream.fin", "where": "token:3"})
        answer = await call(at.url, ask().replace(b"HTTP/1.1", b"HTTP/1.0"))
        record = await at.journal.exchange()

    assert answer.body == b"".join(events(8)[:3])
    assert (record.sent.ended, record.sent.terminal) == ("end", False)


async def test_the_terminal_event_may_be_missing() -> None:
    """llm.no_terminal takes only the end marker, and the body ends cleanly."""
    async with bench(answers(stream(events(3)))) as at:
        apply(at, {"type": "llm.no_terminal"})
        answer = await call(at.url, ask())

    assert answer.ended == "end"
    assert DONE not in answer.body
    assert answer.body.count(b"data:") == 3


async def test_a_clean_cut_keeps_the_connection() -> None:
    """After a chunked body that ended early the next request goes over the same connection."""
    async with bench(answers(stream(events(8)))) as at:
        apply(at, {"type": "stream.truncate", "where": "token:3"}, match={"nth": 1})
        client = await Client.connect(at.url)
        first, second = await client.call(ask()), await client.call(ask())
        client.close()

    assert first.body == b"".join(events(8)[:3])
    assert second.body == b"".join(events(8))


async def test_an_injected_answer_is_the_providers_own() -> None:
    """It has the dialect's error body and no field of ours, and the upstream was never asked."""
    async with bench(answers(stream(events(3)))) as at:
        apply(at, {"type": "http.status", "status": 429})
        answer = await call(at.url, ask())
        record = await at.journal.exchange()

    assert answer.status == 429
    assert "error" in json.loads(answer.body)
    assert "chaosproxy" not in answer.head.lower()
    assert at.upstream.requests == []
    assert record.asked_at is None


async def test_a_lost_response_is_asked_and_paid() -> None:
    """The upstream answers in full; the client gets nothing."""
    async with bench(answers(stream(events(3)))) as at:
        apply(at, {"type": "conn.lost_response"})
        client = await Client.connect(at.url)
        await client.send(ask())
        await at.journal.until(lambda journal: bool(at.upstream.requests))
        at.proxy.clear()
        answer = await client.read()
        record = await at.journal.exchange()
        client.close()

    assert answer.head == ""
    assert record.received.events == 4


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_an_upstream_that_breaks_off_breaks_off_for_the_client(how: str) -> None:
    """A cut of the upstream is passed on as what it was, after every byte that came before it."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + b"".join(map(chunk, events(4)[:3])))
        if how == "reset":
            await asyncio.sleep(0.05)  # an RST may overtake data that was not read yet
            peer.reset()
        else:
            peer.writer.close()

    async with bench(play) as at:
        answer = await call(at.url, ask())
        record = await at.journal.exchange()

    assert answer.body == b"".join(events(4)[:3])
    assert answer.ended == how
    assert record.received.ended == record.sent.ended == how


async def test_an_upstream_without_length_ends_with_its_connection() -> None:
    """A body that a FIN delimits arrives whole, and its client is told in the same way."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        peer.writer.close()

    async with bench(play) as at:
        answer = await call(at.url, ask())
        record = await at.journal.exchange()

    assert (answer.body, answer.ended) == (b"hello", "end")
    assert "Connection: close" in answer.fields
    assert record.received.ended == "end"


async def test_an_upstream_that_is_down() -> None:
    """502 in words that say that it is us and why; the journal has the reason."""
    async with upstream(answers(b"")) as gone:
        pass
    journal = Journal()
    async with Proxy([ListenerSpec("a", "127.0.0.1:0", gone.url)], record=journal.add) as proxy:
        answer = await call(proxy.urls["a"], ask())
        record = await journal.exchange()

    assert answer.status == 502
    assert "x-chaosproxy-error: connect" in answer.fields
    assert json.loads(answer.body)["error"]["message"].startswith("chaosproxy: http://127.0.0.1:")
    assert record.error is not None
    assert record.error.startswith("connect: ")
    assert record.received.ended == "refused"


async def test_an_upstream_that_hangs_up_without_an_answer() -> None:
    """502, too, with another reason."""

    async def play(request: Request, peer: Peer) -> None:
        peer.writer.close()

    async with bench(play) as at:
        answer = await call(at.url, ask())

    assert answer.status == 502
    assert "x-chaosproxy-error: reset" in answer.fields


async def test_an_upstream_that_does_not_speak_http() -> None:
    """502 as well."""
    async with bench(answers(b"SSH-2.0-OpenSSH\r\n\r\n")) as at:
        answer = await call(at.url, ask())

    assert answer.status == 502
    assert "x-chaosproxy-error: protocol" in answer.fields


async def test_silence_of_an_upstream_is_bounded() -> None:
    """An upstream that never answers becomes a 504, one that falls silent in mid-stream a reset."""

    async def play(request: Request, peer: Peer) -> None:
        if b"first" not in request.body:
            await peer.send(SSE_HEAD + chunk(events(1)[0]))
        await peer.gone.wait()

    async with bench(play, Limits(idle_s=0.1, stop_s=0.2)) as at:
        before = await call(at.url, ask("first"))
        amid = await call(at.url, ask("second"))
        records = [await at.journal.exchange(1), await at.journal.exchange(2)]

    assert before.status == 504
    assert "x-chaosproxy-error: timeout" in before.fields
    assert (amid.body, amid.ended) == (events(1)[0], "reset")
    assert [record.received.ended for record in records] == ["timeout", "timeout"]


async def test_a_broken_chunk_size_does_not_hang() -> None:
    """What aiohttp's parser never reports ends the exchange at once, after all bytes that came before."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(events(1)[0]))
        await asyncio.sleep(0.02)  # in one piece with the head it would be reported
        await peer.send(b"ZZ\r\nbroken\r\n")
        await peer.gone.wait()

    async with bench(play) as at:
        answer = await call(at.url, ask())
        record = await at.journal.exchange()

    assert (answer.body, answer.ended) == (events(1)[0], "reset")
    assert record.error == "protocol: the upstream broke the chunked encoding: a chunk-size line is malformed"


async def test_a_client_that_leaves_frees_its_upstream() -> None:
    """The upstream's connection ends at once, and the journal says who left."""
    gone = asyncio.Event()

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(events(1)[0]))
        await peer.reader.read()
        gone.set()

    async with bench(play) as at:
        client = await Client.connect(at.url)
        await client.send(ask())
        await client.head()
        client.close()
        async with asyncio.timeout(1):
            await gone.wait()
        record = await at.journal.exchange()

    assert record.sent.ended == "gone"
    assert record.received.ended == "unfinished"


async def test_a_slow_client_pauses_its_upstream() -> None:
    """A client that does not read stops the upstream after a few buffers, not after the whole body."""
    total = 64 * 1024 * 1024
    sent = 0

    async def play(request: Request, peer: Peer) -> None:
        nonlocal sent
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent < total:
            await peer.send(b"x" * 65536)
            sent += 65536

    async with bench(play) as at:
        client = await Client.connect(at.url, limit=4096)
        await client.send(ask())
        await client.head()
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        stuck_at = sent
        got = 0
        while got < total:
            got += len(await client.reader.read(1 << 20))
        client.close()

    assert stuck_at < total / 3
    assert got == total


async def test_requests_that_are_not_http_get_a_clear_400() -> None:
    """Words and a field that say that the answer is ours."""
    async with bench(answers(plain(b""))) as at:
        answer = await call(at.url, b"NONSENSE\r\n\r\n")
        long = await call(at.url, b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 40_000 + b"\r\n\r\n")

    assert (answer.status, long.status) == (400, 400)
    assert "x-chaosproxy-error: bad_request" in answer.fields
    assert at.upstream.requests == []
    assert refusals(at) == ["1 x bad_request", "1 x bad_request"]


async def test_one_connection_too_many_gets_a_clear_503() -> None:
    """Those that are open live on."""
    async with bench(answers(plain(b"{}")), Limits(connections=1, stop_s=0.2)) as at:
        first = await Client.connect(at.url)
        assert (await first.call(ask())).status == 200
        refused = await call(at.url, ask())
        assert (await first.call(ask())).status == 200
        first.close()

    assert refused.status == 503
    assert "x-chaosproxy-error: connections" in refused.fields
    assert refusals(at) == ["1 x connections"]


async def test_many_refusals_are_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is recorded at once, the others together, with their number."""
    monkeypatch.setattr("chaosproxy.proxy.refusals.REPORT_S", 60.0)
    async with bench(answers(plain(b""))) as at:
        for _ in range(5):
            await call(at.url, b"NONSENSE\r\n\r\n")
        await call(at.url, b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n")

    assert refusals(at) == ["1 x bad_request", "4 x bad_request, 1 x connect_method"]


def refusals(at: Bench) -> list[str]:
    """What the journal says about requests that the proxy itself refused."""
    troubles = [record for record in at.journal.records if isinstance(record, Trouble) and record.part == "limits"]
    return [trouble.detail.removeprefix("the proxy itself refused requests: ") for trouble in troubles]
