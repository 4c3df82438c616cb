"""Toxiproxy's HTTP API: what each request is answered with, down to the bytes."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Self
from urllib.parse import quote, unquote

import structlog
from aiohttp import web

from chaosproxy.dice import Dice
from chaosproxy.faults.toxic.base import Direction
from chaosproxy.proxy.listener import bind
from chaosproxy.proxy.tcp.relay import Relay
from chaosproxy.proxy.tcp.tcp_proxy import TcpProxy
from chaosproxy.proxy.timers import Timers
from chaosproxy.toxics.server.addresses import join
from chaosproxy.toxics.server.collection import Collection, Populated
from chaosproxy.toxics.server.go_text import GoError, bad_body, marshal
from chaosproxy.toxics.server.metrics import CONTENT_TYPE, HITS, RECEIVED, SENT, Counters, runtime_text
from chaosproxy.toxics.server.proxy_forms import read_proxies, read_proxy
from chaosproxy.toxics.server.routes import Elsewhere, Route, find

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

VERSION = "2.12.0"
"""Of the Toxiproxy whose contract this is; clients ask for it."""
BODY_BYTES_MAX = 4 * 1024 * 1024
READ_S = 15.0
"""How long a body may take to come."""
IDLE_S = 60.0
"""How long a connection to the API may be idle."""
SHUTDOWN_S = 1.0
_ABSOLUTE = re.compile("([A-Za-z][A-Za-z0-9+.-]*://[^/?]*)(.*)")
_BAD_ESCAPE = re.compile("%(?![0-9a-fA-F]{2})")
_PROCESS, _REQUESTS = secrets.token_bytes(8), count(1)
_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}
_NO_SNIFF = {**_PLAIN, "X-Content-Type-Options": "nosniff"}


class ToxiproxyApi:
    """A server of the API, and all proxies that it was asked for. Needs a running loop."""

    def __init__(self, *, listen: str, seed: int, proxy_metrics: bool = False, runtime_metrics: bool = False) -> None:
        self._listen = listen
        self._dice = Dice(seed)
        self._timers = Timers(time.monotonic)
        self._has_metrics = proxy_metrics or runtime_metrics
        self._runtime_metrics = runtime_metrics
        self._counters = Counters() if proxy_metrics else None
        self._runner: web.AppRunner | None = None
        self.collection = Collection(self._make_proxy)
        self.address = ""

    async def __aenter__(self) -> Self:
        """Listen. Raises PartFailed for a busy port."""
        sock = bind(self._listen)
        app = web.Application(middlewares=[self._answer], client_max_size=BODY_BYTES_MAX)
        app.on_response_prepare.append(_bare)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S, keepalive_timeout=IDLE_S
        )
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()
        self.address = join(*sock.getsockname()[:2])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let requests end, then all proxies."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self.collection.close()
        self._timers.close()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(self.address.rpartition(":")[0].strip("[]")).is_loopback

    async def populate(self, body: bytes) -> Populated:
        """Create the proxies of a file. Raises GoError when the file is wrong."""
        return await self.collection.populate(read_proxies(body))

    # requests --------------------------------------------------------------------------------------------------------

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whatever is asked for: aiohttp's router would answer some of it in its own words."""
        begun = time.monotonic()
        origin, target = _target(request.raw_path)
        raw_path, _, query = target.partition("?")
        if _BAD_ESCAPE.search(raw_path):
            return web.Response(status=400, text="400 Bad Request", headers={"Connection": "close"})
        route = find(request.method, unquote(raw_path), metrics=self._has_metrics)
        if isinstance(route, Elsewhere):
            location = origin + quote(route.location) + (f"?{query}" if query else "")
            return web.Response(status=301, headers={"Location": location})
        if isinstance(route, int):
            body, headers = (b"404 page not found\n", _NO_SNIFF) if route == 404 else (None, {})
            return web.Response(status=route, body=body, headers=headers)
        response = await self._routed(route, request)
        response.headers["X-Toxiproxy-Request-Id"] = _request_id()
        duration_ms = (time.monotonic() - begun) * 1000
        log.debug("", method=request.method, url=request.raw_path, status=response.status, duration=duration_ms)
        return response

    async def _routed(self, route: Route, request: web.Request) -> web.Response:
        if request.headers.get("User-Agent", "").startswith("Mozilla/"):
            return web.Response(status=403, body=b"User agent not allowed\n", headers=_NO_SNIFF)
        try:
            body = await _body(request)
            response: web.Response = await getattr(self, f"_{route.action}")(*route.names, body)
        except GoError as error:
            text = f"{marshal({'error': error.message, 'status': error.status})}\n"
            response = web.Response(status=error.status, body=text.encode(), headers=_NO_SNIFF)
        return response

    async def _version(self, body: bytes) -> web.Response:
        headers = {"Content-Type": "application/json;charset=utf-8"}
        return web.Response(body=f'{{"version": "{VERSION}"}}\n'.encode(), headers=headers)

    async def _list_proxies(self, body: bytes) -> web.Response:
        return _json({proxy.name: proxy.shown() for proxy in self.collection.proxies()})

    async def _create_proxy(self, body: bytes) -> web.Response:
        return _json((await self.collection.create(read_proxy(body))).shown(), 201)

    async def _show_proxy(self, name: str, body: bytes) -> web.Response:
        return _json(self.collection.get(name).shown())

    async def _update_proxy(self, name: str, body: bytes) -> web.Response:
        return _json((await self.collection.update(name, body)).shown())

    async def _delete_proxy(self, name: str, body: bytes) -> web.Response:
        await self.collection.delete(name)
        return web.Response(status=204)

    async def _reset(self, body: bytes) -> web.Response:
        await self.collection.reset()
        return web.Response(status=204)

    async def _populate(self, body: bytes) -> web.Response:
        try:
            done = await self.populate(body)
        except GoError as error:
            done = Populated(error=error)
        proxies = [proxy.shown() for proxy in done.proxies]
        if done.error is None:
            return _json({"proxies": proxies}, 201)
        status = done.error.status
        return _json({"error": done.error.message, "status": status, "proxies": proxies}, status)

    async def _list_toxics(self, name: str, body: bytes) -> web.Response:
        return _json([toxic.shown() for toxic in self.collection.get(name).toxics()])

    async def _create_toxic(self, name: str, body: bytes) -> web.Response:
        added = self.collection.add_toxic(name, body)
        return _json(self._shown_toxic(name, added.form.name, hits=False))

    async def _show_toxic(self, name: str, toxic: str, body: bytes) -> web.Response:
        return _json(self._shown_toxic(name, toxic, hits=True))

    async def _update_toxic(self, name: str, toxic: str, body: bytes) -> web.Response:
        self.collection.change_toxic(name, toxic, body)
        return _json(self._shown_toxic(name, toxic, hits=False))

    async def _delete_toxic(self, name: str, toxic: str, body: bytes) -> web.Response:
        self.collection.get(name).remove(toxic)
        return web.Response(status=204)

    async def _show_metrics(self, body: bytes) -> web.Response:
        text = (runtime_text() if self._runtime_metrics else "") + (self._counters.text() if self._counters else "")
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    def _shown_toxic(self, name: str, toxic: str, *, hits: bool) -> dict[str, Any]:
        """With our own keys: ``hits`` where one toxic is asked for, ``ttl`` (ms left) where it has a lease."""
        proxy = self.collection.get(name)
        served = proxy.toxic(toxic)
        shown = served.shown()
        if hits:
            shown["hits"] = proxy.hits(toxic)
        if (left_ms := proxy.ttl_ms(served)) is not None:
            shown["ttl"] = left_ms
        return shown

    # the engine ------------------------------------------------------------------------------------------------------

    def _make_proxy(self, name: str, listen: str, upstream: str) -> TcpProxy:
        proxy = TcpProxy(
            name,
            listen,
            upstream,
            clock=time.monotonic,
            timers=self._timers,
            dice=self._dice,
            on_hit=lambda toxic, _connection, _words: self._count_hit(name, toxic),
            on_closed=lambda relay: self._count_bytes(proxy, relay),
        )
        return proxy

    def _count_hit(self, proxy: str, toxic: str) -> None:
        if self._counters is not None:
            self._counters.count(HITS, proxy=proxy, toxic=toxic)

    def _count_bytes(self, proxy: TcpProxy, relay: Relay) -> None:
        if self._counters is None:
            return
        for direction in Direction:
            link = relay.link(direction)
            labels = {
                "direction": direction.value,
                "proxy": proxy.name,
                "listener": proxy.listen,
                "upstream": proxy.upstream,
            }
            self._counters.count(RECEIVED, link.received_bytes, **labels)
            self._counters.count(SENT, link.sent_bytes, **labels)


def _target(text: str) -> tuple[str, str]:
    """Origin (of a request as to a proxy, else empty), and path with query."""
    match = _ABSOLUTE.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)


async def _body(request: web.Request) -> bytes:
    """The whole body. Raises GoError for one that is too large or does not come."""
    try:
        async with asyncio.timeout(READ_S):
            return await request.read()
    except TimeoutError:
        raise bad_body("i/o timeout") from None
    except web.HTTPRequestEntityTooLarge:
        raise GoError(f"request body is larger than {BODY_BYTES_MAX} bytes", 413) from None


async def _bare(_request: web.Request, response: web.StreamResponse) -> None:
    """Without what aiohttp adds by itself."""
    response.headers.popall("Server", None)
    if response.headers.get("Content-Type") == "application/octet-stream":
        del response.headers["Content-Type"]


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=marshal(value).encode(), headers={"Content-Type": "application/json"})


def _request_id() -> str:
    """Twenty characters, in the form of an xid: of this process, and in order."""
    data = next(_REQUESTS).to_bytes(4, "big") + _PROCESS
    return base64.b32hexencode(data).decode().rstrip("=").lower()
