"""Connections to an upstream: when they are used again, when a request is, and when they are let go."""

from __future__ import annotations

import asyncio

import pytest

from chaosproxy.proxy.edges import Asking
from chaosproxy.proxy.limits import Limits
from tests.functional.asking_kit import PATIENCE_S, Recorder, asking, on_each_loop, question
from tests.functional.wire_kit import LAST_CHUNK, SSE_HEAD, Peer, Request, answers, chunk, plain, upstream


@on_each_loop
async def test_questions_in_turn_share_a_connection() -> None:
    """Whatever bodies they and their answers have."""
    bodies = [plain(b"{}"), SSE_HEAD + chunk(b"x") + LAST_CHUNK, b"HTTP/1.1 204 No Content\r\n\r\n", plain(b"")]

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(bodies[(len(server.requests) - 1) % len(bodies)])

    async with upstream(play) as server, asking(server.url) as ask:
        for method in ("POST", "GET", "POST", "DELETE", "GET"):
            assert (await ask(question(method))[0].over()).calls[-1] == "end"

    assert server.connections == 1


@on_each_loop
async def test_questions_at_the_same_time_have_a_connection_each() -> None:
    """HTTP/1.1 answers one after the other, and a stream would hold up all others."""
    everybody = asyncio.Event()

    async def play(request: Request, peer: Peer) -> None:
        if len(server.requests) == 3:
            everybody.set()
        await everybody.wait()
        await peer.send(plain(b"{}"))

    async with upstream(play) as server, asking(server.url) as ask:
        for receiver in [ask()[0] for _ in range(3)]:
            await receiver.over()
        assert len(ask.upstream.pool) == 3

    assert server.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        plain(b"{}", "200 OK", "Connection: close"),
        plain(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"),
        plain(b"{}") + b"and more",
        SSE_HEAD + LAST_CHUNK + b"and more",
        SSE_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n") + chunk(b"x") + LAST_CHUNK,
        b"HTTP/1.1 204 No Content\r\n\r\nand more",
    ],
)
async def test_some_connections_are_not_used_again(answer: bytes) -> None:
    """Where the upstream says so, or where its answer may have another end than we saw."""
    async with upstream(answers(answer)) as server, asking(server.url) as ask:
        for _ in range(2):
            assert (await ask()[0].over()).calls[-1] == "end"
        assert len(ask.upstream.pool) == 0

    assert server.connections == 2


@on_each_loop
async def test_a_connection_that_its_server_closed_is_not_used() -> None:
    """A POST that cannot be repeated gets a new one, and no error."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(plain(b"{}"))
        peer.writer.close()

    async with upstream(play) as server, asking(server.url) as ask:
        for _ in range(3):
            assert (await ask()[0].over()).calls[-1] == "end"
            async with asyncio.timeout(PATIENCE_S):
                while any(connection.usable for _, connection in ask.upstream.pool._idle):  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.001)

    assert server.connections == 3


@on_each_loop
async def test_idle_connections_are_closed_in_time() -> None:
    """One timer for all of them; one that was used meanwhile stays for its own time."""
    left: list[asyncio.Event] = []

    async def play(request: Request, peer: Peer) -> None:
        left.append(peer.gone)
        await peer.send(plain(b"{}"))

    async with upstream(play) as server, asking(server.url, Limits(pooled_s=0.05)) as ask:
        for receiver in [ask()[0] for _ in range(2)]:
            await receiver.over()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(gone.wait() for gone in left))
        assert len(ask.upstream.pool) == 0
        assert (await ask()[0].over()).calls[-1] == "end"

    assert server.connections == 3


@on_each_loop
async def test_what_comes_unasked_ends_a_connection() -> None:
    """It would be taken for the answer to the next question."""

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(plain(b"{}"))
        if len(server.requests) == 1:
            await finished.wait()
            await peer.send(plain(b"smuggled"))
            await peer.reader.read()
            ended.set()

    finished, ended = asyncio.Event(), asyncio.Event()
    async with upstream(play) as server, asking(server.url) as ask:
        await ask()[0].over()
        finished.set()
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()
        assert (await ask()[0].over()).body == b"{}"


@pytest.mark.parametrize(
    ("method", "sent", "asked", "failure"),
    [
        ("GET", b"", 3, ""),
        ("PUT", b"", 3, ""),
        ("POST", b"", 2, "reset: {} closed the connection without an answer"),
        ("GET", b"HTTP/1.1 2", 2, "reset: {} closed the connection without an answer"),
        ("GET", SSE_HEAD, 2, "incomplete: the connection ended before the body was complete"),
    ],
)
@on_each_loop
async def test_what_is_asked_twice(method: str, sent: bytes, asked: int, failure: str) -> None:
    """An idempotent request, once, when a used connection ended before a byte of the answer; nothing else."""

    async def play(request: Request, peer: Peer) -> None:
        if len(server.requests) == 2:
            peer.writer.write(sent)
            peer.writer.close()
        else:
            await peer.send(plain(b"{}"))

    async with upstream(play) as server, asking(server.url) as ask:
        await ask(question(method))[0].over()
        receiver = await ask(question(method))[0].over()

    assert receiver.failure == failure.format(server.url)
    assert (len(server.requests), server.connections) == (asked, asked - 1)


async def test_a_new_connection_that_ends_is_not_tried_again() -> None:
    """An upstream that hangs up on everybody is asked once."""

    async def play(request: Request, peer: Peer) -> None:
        peer.writer.close()

    async with upstream(play) as server, asking(server.url) as ask:
        receiver = await ask(question("GET"))[0].over()

    assert receiver.failure == f"reset: {server.url} closed the connection without an answer"
    assert len(server.requests) == 1


@pytest.mark.parametrize("when", ["head", "data"])
@on_each_loop
async def test_a_cancelled_question_is_never_told_again(when: str) -> None:
    """Not even the rest of what came in the same packet; and its connection is closed at once."""
    gone = asyncio.Event()

    async def play(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + b"".join(map(chunk, [b"1", b"2", b"3"])) + LAST_CHUNK)
        await peer.reader.read()
        gone.set()

    def told(call: str) -> None:
        if call == when:
            asked[-1].cancel()

    asked: list[Asking] = []
    async with upstream(play) as server, asking(server.url) as ask:
        receiver, question_asked = ask(receiver=Recorder(told))
        asked.append(question_asked)
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
        assert len(ask.upstream.pool) == 0

    assert receiver.calls == (["head"] if when == "head" else ["head", "data"])


@on_each_loop
async def test_cancelling_while_a_connection_is_opened() -> None:
    """Nobody is asked, and no callback comes."""
    async with upstream(answers(plain(b"{}"))) as server, asking(server.url) as ask:
        receiver, question_asked = ask()
        await asyncio.sleep(0)
        question_asked.cancel()
        assert (await ask()[0].over()).calls[-1] == "end"

    assert receiver.calls == []
    assert len(server.requests) == 1


@on_each_loop
async def test_cancelling_after_the_end_leaves_the_connection_to_others() -> None:
    """Whoever cancels late does not cut off the next question on the same connection."""

    async def play(request: Request, peer: Peer) -> None:
        if len(server.requests) == 2:
            await cancelled.wait()
        await peer.send(plain(b"{}"))

    cancelled = asyncio.Event()
    async with upstream(play) as server, asking(server.url) as ask:
        first, question_asked = ask()
        await first.over()
        second, _ = ask()
        question_asked.cancel()
        cancelled.set()
        assert (await second.over()).calls[-1] == "end"

    assert server.connections == 1


@on_each_loop
async def test_a_question_that_waits_while_it_is_dialled_may_be_paused() -> None:
    """Nothing comes until it is resumed."""
    async with upstream(answers(plain(b"{}"))) as server, asking(server.url) as ask:
        first, question_asked = ask()
        question_asked.pause()
        await ask()[0].over()
        assert first.calls == []
        question_asked.resume()
        assert (await first.over()).body == b"{}"


@on_each_loop
async def test_silence_is_counted_anew_for_each_question() -> None:
    """On a connection whose watch was set long before, for another question."""

    async def play(request: Request, peer: Peer) -> None:
        if len(server.requests) == 1:
            await peer.send(plain(b"{}"))
        else:
            await peer.gone.wait()

    async with upstream(play) as server, asking(server.url, Limits(idle_s=0.3)) as ask:
        await ask()[0].over()
        await asyncio.sleep(0.2)
        began_at = asyncio.get_running_loop().time()
        receiver = await ask()[0].over()
        lasted_s = asyncio.get_running_loop().time() - began_at

    assert receiver.failure == "timeout: the upstream was silent for 0.3 s"
    assert lasted_s > 0.295  # less what a loop's coarse clock may lack
    assert server.connections == 1
