"""The control API of one proxy, on a port of its own: nothing of ours ever shadows a path of an upstream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Literal, Self, TypeVar

from aiohttp import web
from pydantic import ValidationError

from chaosproxy.control.desk import Desk, NoSuch
from chaosproxy.control.guard import RATES, Guard, Rates, Refusal
from chaosproxy.control.messages import (
    OWNER_CHARS_MAX,
    Apply,
    Count,
    Failure,
    Faults,
    Halt,
    Health,
    Inject,
    Lock,
    Message,
    Programme,
    Readiness,
    Renew,
)
from chaosproxy.control.openapi import document
from chaosproxy.control.reach import Upstreams
from chaosproxy.control.routes import EVENT_STREAM, HEALTH_PATHS, JSON, NDJSON, ROUTES
from chaosproxy.errors import ChaosError, UserError
from chaosproxy.plan.plan import Conflict, Halted
from chaosproxy.proxy.listener import bind

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
"""The largest request to the control API."""
BODY_WITHIN_S = 10.0
"""How long the body of a request may take."""
SHUTDOWN_S = 0.5
"""How long readers of events may take to notice the end."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Said = TypeVar("Said", bound=Message)


class ControlApi:
    """Serves one proxy, and ``more_routes`` of others behind the same guard; ``open_paths`` need no token.

    Raises UserError when it would listen beyond this machine without a good token.
    """

    def __init__(
        self,
        desk: Desk,
        clock: Callable[[], float],
        *,
        listen: str,
        token: str | None = None,
        rates: Rates = RATES,
        more_routes: Iterable[web.RouteDef] = (),
        open_paths: Collection[str] = (),
    ) -> None:
        self._guard = Guard(listen, token, clock, rates)
        self._desk = desk
        self._clock = clock
        self._began_at = clock()
        self._upstreams = Upstreams(desk.listeners, clock)
        self._listen = listen
        self._more_routes = tuple(more_routes)
        self._open_paths = HEALTH_PATHS.union(open_paths)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        """Listen. Raises PartFailed for a busy port."""
        app = web.Application(middlewares=[self._around], client_max_size=MESSAGE_BYTES_MAX)
        for route in ROUTES:
            app.router.add_route(route.method, route.path, getattr(self, f"_{route.name}"))
        app.add_routes(self._more_routes)
        sock = bind(self._listen)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()
        host, port = sock.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let readers of events see the last record, then close."""
        self._desk.events.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the guard look first, and turn errors into ``{"error": WORDS}``."""
        if refusal := self._guard.refuses(request, open_to_all=request.path in self._open_paths):
            return _error(refusal)
        try:
            return _unsniffed(await handler(request))
        except (UserError, ValidationError) as error:
            return _error(Refusal(_status(error), _words(error)))
        except web.HTTPException as error:
            allowed = {name: value for name, value in error.headers.items() if name == "Allow"}
            return _error(Refusal(error.status, error.reason, allowed))

    # looking on ------------------------------------------------------------------------------------------------------

    async def _health(self, _: web.Request) -> web.Response:
        reach, ready, uptime_s = await self._upstreams.reach(), self._desk.ready, self._clock() - self._began_at
        if not ready:
            return _json(Health(status="starting", ready=False, uptime_s=uptime_s, upstreams=reach))
        status: Literal["ok", "degraded"] = "degraded" if "down" in reach.values() else "ok"
        return _json(Health(status=status, ready=True, uptime_s=uptime_s, upstreams=reach))

    async def _ready(self, _: web.Request) -> web.Response:
        ready = self._desk.ready
        return _json(Readiness(status="ok" if ready else "starting"), 200 if ready else 503)

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.json_response(document())

    async def _status(self, _: web.Request) -> web.Response:
        return _json(self._desk.status())

    async def _exchanges(self, _: web.Request) -> web.Response:
        return _json(self._desk.exchanges())

    async def _journal(self, _: web.Request) -> web.Response:
        headers = {"Content-Disposition": 'attachment; filename="journal.jsonl"'}
        return web.Response(body=b"".join(self._desk.events.lines()), content_type=NDJSON, headers=headers)

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("after") or request.headers.get("Last-Event-ID") or ""
        events = self._desk.events.follow(after)
        response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "Cache-Control": "no-store"})
        await response.prepare(request)
        try:
            async for event in events:
                await response.write(event)
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the reader left, or we close
        return response

    # faults ----------------------------------------------------------------------------------------------------------

    async def _list_faults(self, _: web.Request) -> web.Response:
        return _json(Faults(faults=self._desk.faults()))

    async def _inject(self, request: web.Request) -> web.Response:
        return _json(self._desk.inject(await _read(request, Inject)), 201)

    async def _get_fault(self, request: web.Request) -> web.Response:
        return _json(self._desk.fault(request.match_info["id"]))

    async def _heal(self, request: web.Request) -> web.Response:
        self._desk.heal(request.match_info["id"])
        return _json(Count(active=0))

    async def _prolong(self, request: web.Request) -> web.Response:
        wanted = await _read(request, Renew)
        return _json(self._desk.prolong(request.match_info["id"], wanted.lease))

    async def _apply(self, request: web.Request) -> web.Response:
        wanted = await _read(request, Apply)
        return _json(Count(active=self._desk.apply(_owner(request), wanted)))

    async def _renew(self, request: web.Request) -> web.Response:
        wanted = await _read(request, Renew)
        return _json(Count(active=self._desk.renew(_owner(request), wanted.lease)))

    async def _announce(self, request: web.Request) -> web.Response:
        return _json(self._desk.announce(_owner(request), await _read(request, Programme)))

    async def _clear(self, request: web.Request) -> web.Response:
        self._desk.clear(_owner(request))
        return _json(Count(active=0))

    async def _clear_all(self, _: web.Request) -> web.Response:
        self._desk.clear()
        return _json(Count(active=0))

    # the stop button -------------------------------------------------------------------------------------------------

    async def _get_lock(self, _: web.Request) -> web.Response:
        return _json(Halt(halted=self._desk.halted))

    async def _lock(self, request: web.Request) -> web.Response:
        self._desk.lock(await _read(request, Lock))
        return _json(Halt(halted=self._desk.halted))

    async def _unlock(self, _: web.Request) -> web.Response:
        self._desk.unlock()
        return _json(Halt(halted=self._desk.halted))


def _unsniffed(response: web.StreamResponse) -> web.StreamResponse:
    """No browser takes it for something else: the page on this port may run scripts from it."""
    if not response.prepared:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def _owner(request: web.Request) -> str:
    owner = request.match_info["owner"]
    if len(owner) > OWNER_CHARS_MAX:
        raise UserError(f"owner: expected at most {OWNER_CHARS_MAX} characters, got {len(owner)}")
    return owner


async def _read(request: web.Request, kind: type[Said]) -> Said:
    if request.content_type != JSON:
        raise web.HTTPUnsupportedMediaType(reason=f"the body must be {JSON}")
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            body = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason=f"the body did not come within {BODY_WITHIN_S:g} s") from None
    return kind.model_validate_json(body)


def _json(message: Message, status: int = 200) -> web.Response:
    return web.Response(text=message.model_dump_json(), content_type=JSON, status=status)


def _error(refusal: Refusal) -> web.Response:
    text = Failure(error=refusal.words).model_dump_json()
    return web.Response(text=text, content_type=JSON, status=refusal.status, headers=refusal.headers)


def _status(error: UserError | ValidationError) -> int:
    match error:
        case NoSuch():
            return 404
        case Conflict():
            return 409
        case Halted():
            return 423
    return 400


def _words(error: ChaosError | ValidationError) -> str:
    if isinstance(error, ChaosError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
