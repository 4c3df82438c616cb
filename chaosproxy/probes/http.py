"""Looks at an HTTP answer."""

from __future__ import annotations

import errno
import json
import re
import socket
import time
from typing import Any

import aiohttp

from chaosproxy.experiment.probe import Seen
from chaosproxy.experiment.probe_kinds import HttpExpect, HttpProbe
from chaosproxy.units import format_duration

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
    return judged(probe.expect, response.status, body, time.monotonic() - began)


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
    wrong = _wrong(expect, status, body, took_s)
    return Seen("failed" if wrong else "ok", took_s, wrong)


def _wrong(expect: HttpExpect, status: int, body: bytes, took_s: float) -> str:
    if expect.status and status not in expect.status:
        return f"status {status}, expected {' or '.join(map(str, expect.status))}"
    if not expect.status and status >= 400:
        return f"status {status}"
    text = body.decode("utf-8", "replace")
    if expect.body is not None and re.search(expect.body, text) is None:
        return "the body does not match"
    if expect.json_ and (wrong := _wrong_json(expect.json_, text)):
        return wrong
    if expect.within is not None and took_s > expect.within:
        return f"it took {format_duration(round(took_s, 3))}, expected within {format_duration(expect.within)}"
    return ""


def _wrong_json(wanted: dict[str, str], text: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):  # the latter: nested too deeply to be an answer
        return "the body is no JSON"
    for path, expected in wanted.items():
        here = document
        for step in path.removeprefix("$.").split("."):
            try:
                here = here[int(step)] if isinstance(here, list) else here[step]
            except (LookupError, TypeError, ValueError):
                return f"the JSON has no {path}"
        if not _is(here, expected):
            return f"{path} in the JSON is {_shown(here)}, which is not what is expected"
    return ""


def _is(value: Any, expected: str) -> bool:
    """As the file spells it: everything there is text."""
    if isinstance(value, str):
        return value == expected
    try:
        return bool(value == json.loads(expected)) and isinstance(value, bool) is (expected in ("true", "false"))
    except ValueError:
        return False


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return "another text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"
