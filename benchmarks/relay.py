"""The floor: a relay of bytes that understands nothing. ``python -m benchmarks.relay UPSTREAM_PORT``."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from typing import cast

import uvloop


class Side(asyncio.Protocol):
    """One of two connections: what comes here leaves there, and both end together."""

    def __init__(self, upstream_port: int | None = None) -> None:
        self._upstream_port = upstream_port
        self._early = b""
        self._dialing: asyncio.Task[None] | None = None
        self.transport: asyncio.WriteTransport | None = None
        self.other: Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client's connection gets one to the upstream."""
        self.transport = cast(asyncio.WriteTransport, transport)  # of a stream it is, but uvloop's does not say so
        if self._upstream_port is not None:
            self._dialing = asyncio.get_running_loop().create_task(self._dial(self._upstream_port))

    def data_received(self, data: bytes) -> None:
        """Pass it on, or keep it until there is somebody to pass it to."""
        if self.other and self.other.transport:
            self.other.transport.write(data)
        else:
            self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """The other one goes, too."""
        self.transport = None
        if self.other and self.other.transport:
            self.other.transport.close()

    async def _dial(self, port: int) -> None:
        upstream = Side()
        upstream.other = self
        with suppress(OSError):
            await asyncio.get_running_loop().create_connection(lambda: upstream, "127.0.0.1", port)
        self.other = upstream
        if upstream.transport is None or self.transport is None:
            for side in (upstream, self):
                if side.transport:
                    side.transport.close()
        elif self._early:
            upstream.transport.write(self._early)


async def _serve(upstream_port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Side(upstream_port), "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
