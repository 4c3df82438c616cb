"""The client of the control API: what it has read when its connection to the events is cut."""

from __future__ import annotations

import asyncio

from chaosproxy.control.client import ControlClient
from chaosproxy.journal.records import Mark, to_line

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
NUMBERS = (1, 2, 3)


def _event(number: int) -> tuple[bytes, bytes]:
    return b"id: x-%d\n" % number, b"data: %b\n\n" % to_line(Mark(name=f"m{number}", at=float(number))).rstrip()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_a_record_whose_id_alone_has_come_is_asked_for_again() -> None:
    """The connection is cut between an event's id and its record: the record is neither lost nor doubled."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        after = request.split(b"after=")[1].split(b" ")[0].decode()
        asked.append(after)
        writer.write(HEAD)
        for number in NUMBERS[int(after.rpartition("-")[2] or 0) :]:
            first, rest = _event(number)
            writer.write(_chunk(first))
            if number == 2 and len(asked) == 1:
                break
            writer.write(_chunk(rest))
        else:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, ControlClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        names = [record.name async for record in client.events(patience_s=30) if isinstance(record, Mark)]

    assert (names, asked) == (["m1", "m2", "m3"], ["", "x-1"])
    assert client.last_event == "x-3"
