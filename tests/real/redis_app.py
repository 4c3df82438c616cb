"""A small system that depends on Redis: asks it before each answer, then passes the request on to its models.

    python redis_app.py PORT        REDIS=host:port MODELS=http://... PATIENCE=seconds (0: for ever)

With patience it goes on without its cache; without, it waits as long as Redis is silent.
"""

from __future__ import annotations

import os
import sys

import aiohttp
import redis.asyncio
from aiohttp import web
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

HOST, _, PORT = os.environ["REDIS"].partition(":")
PATIENCE_S = float(os.environ["PATIENCE"]) or None


async def answer(request: web.Request) -> web.StreamResponse:
    """The models' answer, when Redis has counted the call, or has had its time."""
    cache, session = request.app[CACHE], request.app[SESSION]
    try:
        await cache.incr("calls")
    except (RedisError, OSError):
        if PATIENCE_S is None:
            return web.json_response({"error": {"message": "no Redis"}}, status=503)
    body = await request.read()
    async with session.post(os.environ["MODELS"] + request.path, data=body, headers=request.headers) as upstream:
        response = web.StreamResponse(status=upstream.status, headers={"Content-Type": upstream.content_type})
        await response.prepare(request)
        async for data in upstream.content.iter_any():
            await response.write(data)
        await response.write_eof()
        return response


async def open_session(app: web.Application) -> None:
    """In the loop of the server."""
    app[SESSION] = aiohttp.ClientSession()
    app[CACHE] = redis.asyncio.Redis(
        host=HOST,
        port=int(PORT),
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )


SESSION = web.AppKey("session", aiohttp.ClientSession)
CACHE = web.AppKey("cache", redis.asyncio.Redis)

if __name__ == "__main__":
    served = web.Application()
    served.router.add_post("/v1/chat/completions", answer)
    served.on_startup.append(open_session)
    web.run_app(served, host="127.0.0.1", port=int(sys.argv[1]), print=None)
