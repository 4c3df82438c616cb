"""The gateway as a server in the running loop, and its three pages: /health, /health/streaming, /stats."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Protocol, Self

import aiohttp
from aiohttp import web

from chaosproxy.dice import Dice
from chaosproxy.errors import PartFailed
from chaosproxy.experiment.lab_settings import GatewaySettings
from chaosproxy.lab import part
from chaosproxy.lab.gateway.attempt import Attempts
from chaosproxy.lab.gateway.behaviour import Behaviour, composed
from chaosproxy.lab.gateway.cache import AnswerCache, Cached, Redis, connect, told
from chaosproxy.lab.gateway.call import Call, Delivery
from chaosproxy.lab.gateway.capability import Broken, Capabilities, InMemory, Store
from chaosproxy.lab.gateway.exchange import new_session
from chaosproxy.lab.gateway.health import Health, Readiness
from chaosproxy.lab.gateway.naive import Naive
from chaosproxy.lab.gateway.probing import probing
from chaosproxy.lab.gateway.resilient import Resilient
from chaosproxy.lab.gateway.schedule import Pauses
from chaosproxy.lab.gateway.upstream import Upstream

BODY_LIMIT_BYTES = 16 * 1024 * 1024
"""The largest request body; a larger one is answered with 413."""


class Profile(Protocol):
    """How a gateway answers."""

    async def answer(self, call: Call, delivery: Delivery) -> None:
        """Deliver an answer to the call."""


class Gateway:
    """A server while it is entered (or between ``start`` and ``stop``); it needs neither thread nor process.

    ``capabilities`` is where it remembers who streams, ``cache`` stands in for the Redis of the settings, and ``wall``
    gives seconds since 1970, for dates in Retry-After.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        capabilities: Store | None = None,
        cache: Redis | None = None,
        wall: Callable[[], float] = time.time,  # noqa: TID251 - only to read dates that others wrote
    ) -> None:
        self.settings = settings
        self._host = host
        self._port = port
        self._store = capabilities or (Broken() if settings.capability_store == "broken" else InMemory())
        self._redis = cache
        self._wall = wall
        self._upstreams: list[Upstream] = []
        self._session: aiohttp.ClientSession | None = None
        self._cache: AnswerCache | None = None
        self._runner: web.AppRunner | None = None
        self._probing = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://{self._host}:{self._port}"

    @property
    def stats(self) -> dict[str, Any]:
        """Counts per upstream since the start, and the cache's if there is one."""
        upstreams = {upstream.name: asdict(upstream.counts) for upstream in self._upstreams}
        return {"upstreams": upstreams, **told(self._cache)}

    async def start(self) -> None:
        """Listen. Raises PartFailed when the address is taken, UserError when ``ca`` or ``cache`` cannot be used."""
        self._upstreams = _upstreams(self.settings)
        self._cache = self._open_cache()
        self._session = new_session(self.settings.connect, self.settings.ca)
        app = web.Application(client_max_size=BODY_LIMIT_BYTES)
        app.router.add_get("/health", self._health)
        app.router.add_get("/health/streaming", self._health_streaming)
        app.router.add_get("/stats", self._stats)
        app.router.add_route("*", "/{path:.*}", partial(self._answer, self._profile(self._session)))
        # A client that leaves cancels its handler, and that closes the connection to the upstream.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.stop()
            raise PartFailed(f"lab gateway: cannot listen on {self._host}:{self._port}: {error.strerror}") from error
        self._port = self._runner.addresses[0][1]
        if self.settings.profile == "resilient":
            await self._probing.enter_async_context(probing(self._session, self._upstreams, self.settings))

    async def stop(self) -> None:
        """Stop listening and cut off what is still open."""
        await self._probing.aclose()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()
        if self._cache is not None:
            await self._cache.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    def _open_cache(self) -> AnswerCache | None:
        settings = self.settings
        client = connect(settings.cache) if self._redis is None and settings.cache is not None else self._redis
        return (
            None if client is None else AnswerCache(client, ttl_s=settings.cache_ttl, within_s=settings.cache_timeout)
        )

    def _profile(self, session: aiohttp.ClientSession) -> Profile:
        behaviour = composed(self.settings)
        if self.settings.profile == "naive":
            inner: Profile = Naive(session, self._upstreams, total_s=self.settings.naive_total)
            behaviour = replace(behaviour, worth_keeping=lambda dialect, kept: True)  # noqa: ARG005 - it does not look
        else:
            inner = self._resilient(session, behaviour)
        if self._cache is None:
            return inner
        return Cached(inner, self._cache, behaviour.worth_keeping, lives_without=behaviour.lives_without_cache)

    def _resilient(self, session: aiohttp.ClientSession, behaviour: Behaviour) -> Resilient:
        settings = self.settings
        clock = asyncio.get_running_loop().time
        capabilities = Capabilities(self._store, ttl_s=settings.capability_ttl, clock=clock)
        chance = Dice(settings.seed).throw("gateway", "pauses")
        pauses = Pauses(first_s=settings.backoff, max_s=settings.backoff_max, chance=chance)
        attempts = Attempts(settings, behaviour, capabilities, session, self._wall)
        return Resilient(attempts, self._upstreams, pauses)

    async def _answer(self, profile: Profile, request: web.Request) -> web.StreamResponse:
        delivery = Delivery(request)
        try:
            await profile.answer(await Call.read(request), delivery)
        except ConnectionResetError:
            delivery.cut()  # the client left while we wrote
        return delivery.response or web.Response()

    async def _health(self, _: web.Request) -> web.Response:
        healthy = {upstream.name: upstream.healthy for upstream in self._upstreams}
        status = "ok" if all(healthy.values()) else "degraded"
        return web.json_response({"status": status, "upstreams": healthy}, status=200 if any(healthy.values()) else 503)

    async def _health_streaming(self, _: web.Request) -> web.Response:
        now = asyncio.get_running_loop().time()
        return web.json_response({"upstreams": {upstream.name: _told(upstream, now) for upstream in self._upstreams}})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(self.stats)


def _upstreams(settings: GatewaySettings) -> list[Upstream]:
    now = asyncio.get_running_loop().time()
    return [
        Upstream(
            name,
            url,
            Health(unhealthy_after=settings.unhealthy_after, cooldown_s=settings.cooldown, now=now),
            Readiness(settings.probe_failures),
        )
        for name, url in settings.upstreams.items()
    ]


def _told(upstream: Upstream, now: float) -> dict[str, Any]:
    """``streams`` is null until a streamed request was answered; spans in seconds."""
    since = upstream.streams_since
    return {
        "healthy": upstream.healthy,
        "healthy_since_s": round(now - upstream.health.since, 3),
        "failures_in_row": upstream.health.failures_in_row,
        "failed_probes_in_row": upstream.readiness.failures_in_row,
        "resting_s": round(max(0.0, upstream.resting_until - now), 3),
        "streams": upstream.streams,
        "streams_since_s": None if since is None else round(now - since, 3),
    }


async def run_gateway(settings: GatewaySettings, listen: str = "127.0.0.1:0", *, leash: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, on a leash also until EOF of stdin; prints the ready line when it listens."""
    host, port = part.parse_listen(listen)
    await part.run_part(Gateway(settings, host, port), leash=leash)


def main(argv: Sequence[str]) -> int:
    """``python -m chaosproxy.lab.gateway --settings JSON --listen HOST:PORT [--leash]``; the exit code."""
    arguments = part.parse_arguments("chaosproxy.lab.gateway", GatewaySettings, list(argv))
    return part.run_process(run_gateway(arguments.settings, arguments.listen, leash=arguments.leash))
