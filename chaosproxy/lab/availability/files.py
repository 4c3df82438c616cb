"""What others download from us: ``/files/MODEL``, with Range, a length and a checksum."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from random import Random

from aiohttp import web

CHECKSUM = "x-checksum-sha256"
"""The header field with the SHA-256 of the whole file, in hexadecimal digits."""
BLOCK_BYTES = 65536
FILE_BYTES_MAX = 2_000_000_000


@lru_cache(maxsize=256)
def _block(name: str, version: str) -> bytes:
    return Random(f"{name}:{version}").randbytes(BLOCK_BYTES)


def content(name: str, version: str, start: int, stop: int) -> Iterator[bytes]:
    """The bytes from ``start`` to ``stop`` of a file: a function of its name and version alone."""
    block = _block(name, version)
    while start < stop:
        offset = start % BLOCK_BYTES
        piece = block[offset : offset + stop - start]
        start += len(piece)
        yield piece


@lru_cache(maxsize=1024)
def checksum(name: str, version: str, length: int) -> str:
    """Its SHA-256."""
    told = hashlib.sha256()
    for piece in content(name, version, 0, length):
        told.update(piece)
    return told.hexdigest()


async def serve_file(request: web.Request, length: int) -> web.StreamResponse:
    """The file, or the part of it that is asked for; 416 where there is none."""
    name, version = request.match_info["model"], request.query.get("version", "1")
    if (wanted := request.query.get("bytes")) is not None:
        if not wanted.isdecimal() or not 0 < int(wanted) <= FILE_BYTES_MAX:
            return web.Response(status=400, text=f"bytes: expected 1 to {FILE_BYTES_MAX}")
        length = int(wanted)
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{name}-{version}"', "Content-Type": "application/octet-stream"}
    headers[CHECKSUM] = await asyncio.to_thread(checksum, name, version, length)
    start, stop, status = 0, length, 200
    if "range" in request.headers:
        try:
            asked = request.http_range
            start, stop, _ = slice(asked.start, asked.stop).indices(length)
        except ValueError:
            start = stop = length
        if start >= stop:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{length}"})
        status = 206
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{length}"
    headers["Content-Length"] = str(stop - start)
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    if request.method != "HEAD":
        for piece in content(name, version, start, stop):
            await response.write(piece)
    await response.write_eof()
    return response
