"""Whether the upstreams can be reached, asked apart from the traffic: what they do is no part of our own health."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.target import Target
from chaosproxy.proxy.upstream.dial import ForwardProxy

CONNECT_WITHIN_S = 0.5
"""How long an upstream may take to accept a connection: less than a health check has."""
FRESH_S = 1.0
"""So long an answer counts: health is open to all, and whoever asks it often must not knock at upstreams as often."""

Reach: TypeAlias = Literal["up", "down"]


class Upstreams:
    """Those of some listeners. ``clock`` is monotonic seconds."""

    def __init__(self, specs: Sequence[ListenerSpec], clock: Callable[[], float]) -> None:
        self._addresses = {spec.name: _address(spec) for spec in specs}
        self._clock = clock
        self._asked_at = float("-inf")
        self._known: dict[str, Reach] = {}
        self._turn = asyncio.Lock()

    async def reach(self) -> dict[str, Reach]:
        """By listener, whether its upstream (or the forward proxy before it) accepts a connection."""
        async with self._turn:
            if self._clock() - self._asked_at >= FRESH_S:
                places = set(self._addresses.values())
                found = dict(zip(places, await asyncio.gather(*map(_knock, places)), strict=True))
                self._known = {name: found[place] for name, place in self._addresses.items()}
                self._asked_at = self._clock()
            return self._known


def _address(spec: ListenerSpec) -> tuple[str, int]:
    if spec.is_tcp:
        parts = urlsplit(spec.upstream)
        return parts.hostname or "", parts.port or 0
    target = Target(spec.upstream)
    first = ForwardProxy.towards(target) or target
    return first.host, first.port


async def _knock(address: tuple[str, int]) -> Reach:
    """A connection that says nothing, and is closed at once."""
    try:
        async with asyncio.timeout(CONNECT_WITHIN_S):
            _, writer = await asyncio.open_connection(*address)
    except (OSError, UnicodeError, TimeoutError):  # UnicodeError: what cannot be a name
        return "down"
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return "up"
