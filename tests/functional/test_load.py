"""The load over real sockets: against the lab's backend, and against a server that breaks its answers on purpose."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, get_args

import pytest

from chaosproxy.errors import UserError
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import Call, Lag, Sent
from chaosproxy.lab.backend import Backend
from chaosproxy.lab.load.job import LoadJob
from chaosproxy.lab.load.sender import run_load
from chaosproxy.lab.text import expected_answer
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.names import ApiName

OPENAI = dialect("openai.chat")
TAG = "cp-abcd-1"
PIECES = tuple(expected_answer(TAG, 8))
FRAMES = OPENAI.stream_frames(Answer("1", "m", 1, PIECES, output_tokens=8, include_usage=True))
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
FOR_EVER = asyncio.Event

Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]


def _chunks(frames: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames)


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def _raw_server(serve: Serve) -> AsyncIterator[str]:
    """Reads a request, then does what ``serve`` does, and closes."""
    serving: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(writer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            await _close(writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in serving:
            task.cancel()  # those that serve for ever; the others are closing
        await asyncio.gather(*serving, return_exceptions=True)


def _job(entry: str, *loads: dict[str, Any], lasts_s: float = 60, tokens: int | None = 8) -> LoadJob:
    return LoadJob.model_validate(
        {
            "loads": loads or [{"id": "a", "calls": 1, "arrival": {"rate": "1000/s"}}],
            "entry": entry,
            "seed": 1,
            "nonce": "abcd",
            "warmup_s": 0,
            "lasts_s": lasts_s,
            "origin_mono": monotonic(),
            "answer_tokens": tokens,
        }
    )


async def _run(job: LoadJob) -> list[Call]:
    records: list[AnyRecord] = []
    await run_load(job, records.append)
    return sorted((record for record in records if isinstance(record, Call)), key=lambda call: call.id)


async def _one(serve: Serve, **request: Any) -> Call:
    load = {"id": "a", "calls": 1, "arrival": {"rate": "1000/s"}, "request": {"timeout": 5.0, **request}}
    async with _raw_server(serve) as url:
        (call,) = await _run(_job(url, load))
    return call


# against the backend -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", get_args(ApiName))
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("tools", [True, False])
async def test_good_answers_are_as_expected(api: str, stream: bool, tools: bool) -> None:
    """All dialects, streamed and plain, text and tool calls: the text is the expected one, the counts agree."""
    request = {"api": api, "stream": stream, "tools": tools}
    async with Backend(BackendSettings(tokens=8, ttft=0.0, inter_token=0.0)) as backend:
        calls = await _run(_job(backend.url, {"calls": 3, "arrival": {"rate": "200/s"}, "request": request}))

    assert [call.number for call in calls] == [1, 2, 3]
    assert [(call.error, call.status, call.terminal) for call in calls] == [(None, 200, True)] * 3
    assert [call.text for call in calls] == [call.expected for call in calls]
    whole = tools and api in ("gemini", "gemini.array", "ollama")  # arguments come in one frame
    assert [(call.output_tokens, call.chunks) for call in calls] == [(8, 8 if stream and not whole else 1)] * 3


async def test_times_are_in_order_and_count_from_the_intention() -> None:
    """Intended <= sent <= head <= first content <= last content <= end, and the gaps are those of the tokens."""
    async with Backend(BackendSettings(tokens=4, ttft=0.05, inter_token=0.02)) as backend:
        job = _job(backend.url, {"calls": 1, "arrival": {"rate": "100/s", "process": "constant"}}, tokens=4)
        (call,) = await _run(job)
    times = [call.intended_at, call.sent_at, call.head_at, call.first_content_at, call.last_content_at, call.end_at]

    assert None not in times
    assert times == sorted(times, key=lambda at: at or 0)
    assert call.intended_at == job.origin_mono
    assert (call.last_content_at or 0) - call.intended_at >= 0.05 + 3 * 0.02
    assert len(call.gaps_ms) == 3


async def test_connections_are_used_again() -> None:
    """Calls one after the other need one connection, as in an SDK's pool."""
    opened = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(HEAD + _chunks(FRAMES) + LAST_CHUNK)
        await _close(writer)
        closed.set()

    closed = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    load = {"calls": 3, "arrival": {"rate": "10/s", "process": "constant"}, "oracle": {"equals": "".join(PIECES)}}
    calls = await _run(_job(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", load))
    server.close()
    await closed.wait()

    assert [call.error for call in calls] == [None] * 3
    assert opened == 1


async def test_calls_beyond_the_bound_are_dropped() -> None:
    """An open loop never waits: the call that would be one too many is recorded and not sent."""
    async with Backend(BackendSettings(tokens=2, ttft=0.5)) as backend:
        load = {"calls": 5, "arrival": {"rate": "500/s", "process": "constant", "max_in_flight": 2}}
        calls = await _run(_job(backend.url, load, tokens=2))

        assert backend.stats["requests"] == 2
    assert [call.dropped for call in calls] == [False, False, True, True, True]
    assert [call.sent_at is None for call in calls] == [False, False, True, True, True]


async def test_lag_is_recorded() -> None:
    """How late calls were sent is part of the journal."""
    records: list[AnyRecord] = []
    async with Backend(BackendSettings(tokens=1, ttft=0.0)) as backend:
        await run_load(_job(backend.url, tokens=1), records.append)
    lags = [record for record in records if isinstance(record, Lag) and record.what == "send"]

    assert sum(lag.samples for lag in lags) == 1


async def test_stop_ends_the_sending_and_not_the_calls() -> None:
    """What is under way is waited for; what is not yet sent never is."""
    records: list[AnyRecord] = []
    stopped = asyncio.Event()
    async with Backend(BackendSettings(tokens=3, ttft=0.2)) as backend:
        job = _job(backend.url, {"arrival": {"rate": "20/s", "process": "constant"}}, tokens=3)
        running = asyncio.create_task(run_load(job, records.append, stopped=stopped))
        while backend.stats["requests"] == 0:  # noqa: ASYNC110 - what the backend counts is told by no event
            await asyncio.sleep(0.005)
        stopped.set()
        await running
        calls = [record for record in records if isinstance(record, Call)]

        assert len(calls) == backend.stats["requests"] < 20
    assert {call.error for call in calls} == {None}


async def test_call_is_recorded_before_it_has_ended() -> None:
    """A load that is stopped in the middle has said what it sent."""
    records: list[AnyRecord] = []
    asked = asyncio.Event()

    async def hang(_: asyncio.StreamWriter) -> None:
        asked.set()
        await FOR_EVER().wait()

    async with _raw_server(hang) as url:
        running = asyncio.create_task(run_load(_job(url), records.append))
        await asked.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    (sent,) = (record for record in records if isinstance(record, Sent))

    assert (sent.id, sent.load, sent.number, sent.tagged) == ("cp-abcd-1", "a", 1, True)
    assert sent.sent_at >= sent.intended_at
    assert not any(isinstance(record, Call) for record in records)


async def test_bad_entry_is_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(UserError, match="URL"):
        await _run(_job("127.0.0.1:8080"))


# against a server that breaks --------------------------------------------------------------------------------------


async def test_clean_cut_is_short_and_silent() -> None:
    """The stream ends early, and properly: no error, no terminal event, and less text than expected."""

    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + _chunks(FRAMES[:5]) + LAST_CHUNK)

    call = await _one(cut)

    assert (call.error, call.terminal, call.finish, call.chunks) == (None, False, None, 4)
    assert call.text == fingerprint("".join(PIECES[:4]))
    assert call.expected == fingerprint("".join(PIECES))


@pytest.mark.parametrize(
    ("sent", "chunks"),
    [(b"", 0), (HEAD[:20], 0), (HEAD + _chunks(FRAMES[:3]), 2), (HEAD + _chunks(FRAMES[:3])[:-9], 1)],
)
async def test_early_fin_is_incomplete(sent: bytes, chunks: int) -> None:
    """A connection that ends before the framing does, and what came before it is kept."""

    async def fin(writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    call = await _one(fin)

    assert (call.error and call.error.kind, call.terminal, call.chunks) == ("incomplete", False, chunks)


@pytest.mark.parametrize("head", [b"", HEAD + _chunks(FRAMES[:3])])
async def test_reset_is_a_reset(head: bytes) -> None:
    """An RST before the head or in the stream; the pieces that were read before it are kept."""

    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await asyncio.sleep(0.05)  # an RST may overtake what the client has not read
        _reset(writer)

    call = await _one(reset)

    assert (call.error and call.error.kind, call.chunks) == ("reset", 2 if head else 0)


async def test_nobody_listens() -> None:
    """A refused connection is a connect error."""
    async with _raw_server(_nothing) as url:
        pass
    (call,) = await _run(_job(url))

    assert (call.error and call.error.kind, call.status, call.head_at) == ("connect", None, None)


async def test_status_is_an_http_error() -> None:
    """With the provider's name for it."""
    _, body = OPENAI.error(429, error_type=None, code=None, message=None)

    async def refuse(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    call = await _one(refuse)

    assert (call.error and call.error.kind, call.status) == ("http", 429)
    assert "rate_limit_exceeded" in (call.error.message if call.error else "")


async def test_error_event_is_an_event_error() -> None:
    """An error after the 200."""

    async def fail(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + _chunks([*FRAMES[:4], OPENAI.error_event(None, None)]) + LAST_CHUNK)

    call = await _one(fail)

    assert (call.error and call.error.kind, call.status, call.chunks) == ("event", 200, 3)


@pytest.mark.parametrize("broken", [b"zz\r\nabc\r\n", _chunks([b'data: {"cut\n\n'])])
async def test_what_cannot_be_parsed_is_a_protocol_error(broken: bytes) -> None:
    """A bad chunk size, and an event that is not JSON, after three good events."""

    async def garble(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + _chunks(FRAMES[:3]) + broken)
        await FOR_EVER().wait()

    call = await _one(garble)

    assert (call.error and call.error.kind, call.chunks) == ("protocol", 2)


@pytest.mark.parametrize("head", [b"", HEAD, HEAD + _chunks(FRAMES[:3])])
async def test_silence_is_a_timeout(head: bytes) -> None:
    """No byte for as long as the read timeout, wherever the stream stands."""

    async def stall(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await FOR_EVER().wait()

    call = await _one(stall, timeout=0.1)

    assert (call.error and call.error.kind, call.chunks) == ("timeout", 2 if FRAMES[2] in head else 0)


async def test_kept_alive_for_ever_is_hung() -> None:
    """Comments defeat a read timeout, as they do in SDKs; after twice the timeout the call is given up."""

    async def ping(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + _chunks(FRAMES[:3]))
        while not writer.is_closing():
            writer.write(_chunks([b": ping\n\n"]))
            await asyncio.sleep(0.01)

    call = await _one(ping, timeout=0.2)

    assert (call.error and call.error.kind, call.chunks) == ("hung", 2)
    assert (call.end_at or 0) - (call.sent_at or 0) >= 0.4


async def test_replayed_answer_is_marked() -> None:
    """A gateway that tries again after content sends the beginning twice."""

    async def replay(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + _chunks([*FRAMES[:4], *FRAMES]) + LAST_CHUNK)

    call = await _one(replay)

    assert (call.error, call.terminal, call.restarted_at) == (None, True, len("".join(PIECES[:3])))


async def test_text_of_another_call_is_marked() -> None:
    """The tag in the text names the call that it belongs to."""
    frames = OPENAI.stream_frames(Answer("1", "m", 1, tuple(expected_answer("cp-abcd-9", 8)), output_tokens=8))

    async def leak(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + _chunks(frames) + LAST_CHUNK)

    assert (await _one(leak)).foreign == "cp-abcd-9"


async def test_end_that_lingers_after_the_terminal_event_is_no_error() -> None:
    """The call is over with [DONE], whatever becomes of the connection."""

    async def linger(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + _chunks(FRAMES))
        await asyncio.sleep(0.05)
        _reset(writer)

    call = await _one(linger)

    assert (call.error, call.terminal, call.text) == (None, True, call.expected)


async def test_surplus_bytes_cost_the_connection_and_nothing_else() -> None:
    """What a server says unasked never reaches the next call."""

    async def babble(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + _chunks(FRAMES) + LAST_CHUNK)
        await asyncio.sleep(0.02)
        writer.write(HEAD + _chunks(FRAMES[:2]))
        await FOR_EVER().wait()

    load = {"calls": 2, "arrival": {"rate": "10/s", "process": "constant"}, "oracle": {"equals": "".join(PIECES)}}
    async with _raw_server(babble) as url:
        calls = await _run(_job(url, load))

    assert [(call.error, call.text == call.expected) for call in calls] == [(None, True)] * 2


async def _nothing(writer: asyncio.StreamWriter) -> None:
    """Close at once."""
