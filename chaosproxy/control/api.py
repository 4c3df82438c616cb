"""The control API of one proxy, on a port of its own: nothing of ours ever shadows a path of an upstream."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Self, TypeVar

from aiohttp import web
from pydantic import ValidationError

from chaosproxy import __version__
from chaosproxy.control.events import EventLog
from chaosproxy.control.messages import ActiveFault, Apply, ListenerStatus, Message, Renew, Status
from chaosproxy.errors import ChaosError, UserError
from chaosproxy.plan.plan import Conflict
from chaosproxy.proxy.listener import bind, parse_address
from chaosproxy.proxy.proxy import Proxy

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""The largest request to the control API."""
SHUTDOWN_S = 0.5
"""How long readers of events may take to notice the end."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Said = TypeVar("Said", bound=Message)


@dataclass(frozen=True, slots=True)
class Clocks:
    """``mono`` is the clock of the proxy's records, ``wall`` seconds since the epoch."""

    mono: Callable[[], float]
    wall: Callable[[], float]


class ControlApi:
    """Serves one proxy, and ``routes`` of others behind the same token.

    Raises UserError when it would listen beyond this machine without a token.
    """

    def __init__(
        self,
        proxy: Proxy,
        events: EventLog,
        clocks: Clocks,
        *,
        listen: str,
        token: str | None = None,
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        if token is None and not _is_loopback(parse_address(listen)[0]):
            raise UserError(f"the control API on {listen} can be reached from elsewhere, so it needs a token")
        self._proxy = proxy
        self._events = events
        self._listen = listen
        self._token = token
        self._more_routes = tuple(routes)
        self._clocks = clocks
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        """Listen. Raises PartFailed for a busy port."""
        app = web.Application(middlewares=[self._guard], client_max_size=MESSAGE_BYTES_MAX)
        app.add_routes(
            [
                web.get("/-/health", self._health),
                web.put("/v1/owners/{owner}", self._apply),
                web.post("/v1/owners/{owner}/renew", self._renew),
                web.delete("/v1/owners/{owner}", self._clear),
                web.delete("/v1/owners", self._clear_all),
                web.get("/v1/status", self._status),
                web.get("/v1/events", self._follow),
                *self._more_routes,
            ]
        )
        sock = bind(self._listen)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()
        host, port = sock.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let readers of events see the last record, then close."""
        self._events.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask for the token, and turn errors into ``{"error": WORDS}``."""
        if request.path != "/-/health" and not self._knows_token(request):
            return _error(401, "this control API needs its token: Authorization: Bearer TOKEN")
        try:
            return await handler(request)
        except Conflict as error:
            return _error(409, str(error))
        except (UserError, ValidationError) as error:
            return _error(400, _words(error))
        except web.HTTPException as error:
            return _error(error.status, error.reason)

    def _knows_token(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return self._token is None or hmac.compare_digest(given.encode(), self._token.encode())

    async def _health(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"status": "ok"})

    async def _apply(self, request: web.Request) -> web.Response:
        wanted = await _read(request, Apply)
        self._proxy.apply(wanted.rules, owner=request.match_info["owner"], lease_s=wanted.lease, seed=wanted.seed)
        return web.json_response({"active": len(wanted.rules)})

    async def _renew(self, request: web.Request) -> web.Response:
        wanted = await _read(request, Renew)
        return web.json_response({"active": self._proxy.renew(request.match_info["owner"], wanted.lease)})

    async def _clear(self, request: web.Request) -> web.Response:
        self._proxy.clear(request.match_info["owner"])
        return web.json_response({"active": 0})

    async def _clear_all(self, request: web.Request) -> web.Response:
        del request
        self._proxy.clear()
        return web.json_response({"active": 0})

    async def _status(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text=self._state().model_dump_json(), content_type="application/json")

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("after", "0")
        if not after.isdecimal():
            raise UserError(f"after: expected the number of an event, got {after!r}")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        try:
            async for line in self._events.follow(int(after)):
                await response.write(line)
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the reader left, or we close
        return response

    def _state(self) -> Status:
        proxy, urls = self._proxy, self._proxy.urls
        return Status(
            chaosproxy=__version__,
            mono=self._clocks.mono(),
            wall=self._clocks.wall(),
            listeners={
                spec.name: ListenerStatus(
                    url=urls.get(spec.name, ""), upstream=spec.upstream, dialect=spec.dialect, role=spec.role
                )
                for spec in proxy.listeners
            },
            active=tuple(
                ActiveFault(
                    id=active.rule.id,
                    owner=active.owner,
                    type=active.rule.do.type,
                    listeners=active.rule.listeners,
                    since=active.since,
                    lease_until=None if active.lease_until == float("inf") else active.lease_until,
                    acting=active.down,
                )
                for active in proxy.active
            ),
            open_exchanges=proxy.open_exchanges,
            events=self._events.newest,
        )


async def _read(request: web.Request, kind: type[Said]) -> Said:
    return kind.model_validate_json(await request.read())


def _error(status: int, words: str) -> web.Response:
    return web.json_response({"error": words}, status=status)


def _words(error: ChaosError | ValidationError) -> str:
    if isinstance(error, ChaosError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
