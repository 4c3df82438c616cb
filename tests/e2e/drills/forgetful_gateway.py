"""A gateway with one defect: ``python forgetful_gateway.py UPSTREAM PORT`` forwards bodies, but no header fields."""

from __future__ import annotations

import sys

import aiohttp
from aiohttp import web


async def forward(request: web.Request) -> web.Response:
    """The body only, both ways."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(sys.argv[1] + request.path, data=await request.read()) as response,
    ):
        return web.Response(status=response.status, body=await response.read(), content_type="application/json")


if __name__ == "__main__":
    app = web.Application()
    app.router.add_post("/{path:.*}", forward)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None)
