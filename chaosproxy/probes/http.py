"""Looks at an HTTP answer."""

from __future__ import annotations

import errno
import json
import socket
import time
from dataclasses import replace

import aiohttp

from chaosproxy.experiment.answers import at_path, wrong_with
from chaosproxy.experiment.probe import Seen
from chaosproxy.experiment.probe_kinds import HttpExpect, HttpProbe

BODY_BYTES_MAX = 1 << 20
"""So much of an answer is read; what a probe looks for must stand in it."""
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""What goes wrong on this machine before anybody is asked."""


async def look(probe: HttpProbe) -> Seen:
    """Ask once, on a new connection."""
    began = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.request(probe.method, probe.http, headers=probe.headers, allow_redirects=False) as response,
        ):
            body = await read(response)
    except (aiohttp.ClientError, OSError) as error:
        return refused(error)
    seen = judged(probe.expect, response.status, body, time.monotonic() - began)
    return seen if probe.value is None else replace(seen, value=_number_in(probe.value, body))


async def read(response: aiohttp.ClientResponse) -> bytes:
    """The body, as far as anybody looks at it."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) >= BODY_BYTES_MAX:
            break
    return bytes(body[:BODY_BYTES_MAX])


def refused(error: Exception) -> Seen:
    """A failed connection as what was seen, in words that hold no part of the URL."""
    cause: BaseException | None = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientConnectorDNSError) or isinstance(cause, socket.gaierror):
        return Seen("unknown", None, "the host's name cannot be resolved")
    if isinstance(cause, OSError) and cause.errno in _OURS:
        return Seen("unknown", None, f"this machine cannot connect: {errno.errorcode[cause.errno]}")
    if isinstance(cause, ConnectionRefusedError):
        return Seen("failed", None, "connection refused")
    if isinstance(error, aiohttp.ClientSSLError):
        return Seen("failed", None, f"TLS failed ({type(error).__name__})")
    if isinstance(error, aiohttp.InvalidURL):
        return Seen("unknown", None, "the URL cannot be read")
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionError):
        return Seen("failed", None, "the connection broke before the answer was whole")
    return Seen("failed", None, f"no answer ({type(error).__name__})")


def judged(expect: HttpExpect, status: int, body: bytes, took_s: float) -> Seen:
    """An answer that came, as what was seen. Texts of bodies are not repeated: they may hold anything."""
    wrong = wrong_with(expect, status, body, took_s)
    return Seen("failed" if wrong else "ok", took_s, wrong)


def _number_in(path: str, body: bytes) -> float | None:
    """The number at a path of a JSON body, or None."""
    try:
        found = at_path(json.loads(body), path)
    except (ValueError, LookupError, RecursionError):
        return None
    return float(found) if isinstance(found, int | float) else None
