"""The naive gateway: what people write first. Each of its mistakes stands in many a public issue.

It asks the next upstream once, only when no answer began; has one long deadline; repeats a 429 at once; and calls every
stream that ends cleanly a finished one, with a finish reason of its own making.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Kind
from chaosproxy.lab.gateway.call import Call, Delivery
from chaosproxy.lab.gateway.exchange import asked, pieces_of
from chaosproxy.lab.gateway.speech import invented_end
from chaosproxy.lab.gateway.upstream import Refused, Upstream

TRIES_ON_429 = 3


class Naive:
    """Forwards bytes."""

    def __init__(self, session: aiohttp.ClientSession, upstreams: Sequence[Upstream], *, total_s: float) -> None:
        self._session = session
        self._upstreams = upstreams[:2]
        self._total_s = total_s

    async def answer(self, call: Call, delivery: Delivery) -> None:
        """Deliver what comes."""
        previous: Upstream | None = None
        for upstream in self._upstreams:
            if previous is not None:
                previous.counts.fallbacks += 1
            try:
                await self._forward(call, upstream, delivery)
            except UpstreamFailed as failure:
                upstream.counts.failures += 1
                if delivery.begun:
                    delivery.cut()
                    return
                failed = failure
            else:
                return
            previous = upstream
        status = failed.status if isinstance(failed, Refused) else 502
        await delivery.whole(status, *call.dialect.error(status, error_type=None, code=None, message=str(failed)))

    async def _forward(self, call: Call, upstream: Upstream, delivery: Delivery) -> None:
        url = upstream.url.rstrip("/") + call.path_qs
        due = asyncio.get_running_loop().time() + self._total_s
        for tries_left in reversed(range(TRIES_ON_429)):
            upstream.counts.requests += 1
            async with asked(self._session, call.method, url, call.headers, call.body, due=due) as response:
                if response.status == 429 and tries_left:
                    upstream.counts.retries += 1
                    continue
                if response.status >= 500:
                    raise Refused(response.status, None)
                await self._relay(call, response, delivery, due=due)
                return

    async def _relay(self, call: Call, response: aiohttp.ClientResponse, delivery: Delivery, *, due: float) -> None:
        splitter, ended = call.dialect.splitter(), False
        await delivery.pass_on(response.status, response.headers.items(), [])
        async for piece in pieces_of(response, due=due):
            for frame in splitter.feed(piece):
                ended = ended or bool(call.dialect.read_event(frame).kind & Kind.TERMINAL)
            await delivery.pass_on(response.status, response.headers.items(), [piece])
        if response.content_type == "text/event-stream" and call.streamed and not ended:
            await delivery.send(invented_end(call.dialect, call.model))
        await delivery.finish()
