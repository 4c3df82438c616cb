"""Files of the lab's backend, as a model hub serves them: any size, by range, with a checksum beside each.

    GET .../files/SIZE             that many bytes; Range, If-Range and ETag as in RFC 9110, 13 and 14
    GET .../files/SIZE.sha256      its checksum in one line, as sha256sum writes it
    WS  .../files/SIZE/progress    ten notices of a download: {"bytes": 100, "of": 1000, "done": false}

Nothing is kept: every byte is a function of its place, so a file of any size costs no memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus
from random import Random

from aiohttp import web

FILE_BYTES_MAX = 10 * 10**9
"""The largest file; a larger one does not exist (404)."""
NOTICES = 10
PATTERN = Random(b"chaosproxy").randbytes(65521)
"""What a file repeats. The length is a prime, so that a piece at a wrong place differs whatever its size."""

_PATH = re.compile(r".*/files/([1-9][0-9]{0,11}|0)(\.sha256|/progress)?")
_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))")
"""Anything else (several ranges, another unit) is not read, which means the whole file (RFC 9110, 14.2)."""
_BLOCKS = 4


def content(begin: int, end: int) -> Iterator[bytes]:
    """Bytes ``begin`` to ``end`` (not included) of any file, in blocks of a few hundred kilobytes."""
    repeated = PATTERN * (_BLOCKS + 1)
    while begin < end:
        first = begin % len(PATTERN)
        block = repeated[first : first + min(_BLOCKS * len(PATTERN), end - begin)]
        begin += len(block)
        yield block


@lru_cache(maxsize=64)
def checksum(size: int) -> str:
    """SHA-256 of the file of ``size`` bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    for block in content(0, size):
        digest.update(block)
    return digest.hexdigest()


def serves(path: str) -> bool:
    """Whether ``path`` (without a query) is one of a file."""
    found = _PATH.fullmatch(path)
    return found is not None and int(found[1]) <= FILE_BYTES_MAX


async def serve_file(request: web.BaseRequest, notice_every_s: float) -> web.StreamResponse:
    """The answer to a request whose path ``serves`` has accepted."""
    found = _PATH.fullmatch(request.path)
    if found is None:
        raise ValueError(request.path)
    size, side = int(found[1]), found[2]
    if request.method not in ("GET", "HEAD"):
        return web.json_response({"detail": "Method Not Allowed"}, status=405, headers={"Allow": "GET, HEAD"})
    if side == "/progress":
        return await _tell_progress(request, size, notice_every_s)
    if side == ".sha256":
        return web.Response(text=f"{await asyncio.to_thread(checksum, size)}  {size}\n")
    return await _send(request, size)


async def _send(request: web.BaseRequest, size: int) -> web.StreamResponse:
    etag = f'"lab-{size}"'
    headers = {"accept-ranges": "bytes", "etag": etag, "content-type": "application/octet-stream"}
    begin, end, status = 0, size, HTTPStatus.OK
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if asked is not None and request.headers.get("if-range", etag) == etag:
        begin, end = _part(asked, size)
        if begin >= end:
            return web.Response(status=416, headers={**headers, "content-range": f"bytes */{size}"})
        status = HTTPStatus.PARTIAL_CONTENT
        headers["content-range"] = f"bytes {begin}-{end - 1}/{size}"
    response = web.StreamResponse(status=status, headers={**headers, "content-length": str(end - begin)})
    await response.prepare(request)
    if request.method == "GET":
        for block in content(begin, end):
            await response.write(block)
    await response.write_eof()
    return response


def _part(asked: re.Match[str], size: int) -> tuple[int, int]:
    """Begin and end of the one range that is asked for; nothing lies between them when no byte of it exists."""
    first, last, suffix = asked.groups()
    if suffix is not None:
        return max(0, size - int(suffix)), size
    return int(first), size if last is None else min(size, int(last) + 1)


async def _tell_progress(request: web.BaseRequest, size: int, every_s: float) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    if not socket.can_prepare(request):
        return web.json_response({"detail": "a WebSocket is spoken here"}, status=426, headers={"Upgrade": "websocket"})
    await socket.prepare(request)
    for notice in range(1, NOTICES + 1):
        await asyncio.sleep(every_s)
        if socket.closed:
            break
        await socket.send_json({"bytes": size * notice // NOTICES, "of": size, "done": notice == NOTICES})
    await socket.close()
    return socket
