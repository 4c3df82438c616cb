"""One attempt to answer a call with one upstream: delivers what is whole, raises UpstreamFailed for everything else.

Nothing reaches the client before the first content, so that a failure up to there can be made good elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiohttp

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Kind
from chaosproxy.experiment.lab_settings import GatewaySettings
from chaosproxy.lab.gateway.behaviour import Behaviour
from chaosproxy.lab.gateway.call import Call, Delivery, travelling
from chaosproxy.lab.gateway.capability import Capabilities
from chaosproxy.lab.gateway.exchange import EventStream, asked, read_whole
from chaosproxy.lab.gateway.health import Admission
from chaosproxy.lab.gateway.schedule import retry_after
from chaosproxy.lab.gateway.tally import Tally
from chaosproxy.lab.gateway.upstream import Refused, Upstream

DRAIN_S = 1.0
"""How long a body may stay open after its terminal event before the connection is given up."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """What all attempts share. ``wall`` (seconds since 1970) only reads the dates of Retry-After."""

    settings: GatewaySettings
    behaviour: Behaviour
    capabilities: Capabilities
    session: aiohttp.ClientSession
    wall: Callable[[], float]

    async def make(
        self,
        call: Call,
        upstream: Upstream,
        admission: Admission,
        delivery: Delivery,
        *,
        total_due: float,
        plain: bool = False,
    ) -> bool:
        """Deliver this upstream's answer; True if it proved that answers flow, False if the request was at fault.

        ``plain``: it is asked for a plain answer, whatever it can.
        """
        began = asyncio.get_running_loop().time()
        streams = call.streamed is not None and not self._answers_plain(call, upstream) and not plain
        plain_due = min(began + self.settings.plain_answer, total_due)
        first_due = min(began + self.behaviour.first_token_s[admission], total_due) if streams else plain_due
        url = upstream.url.rstrip("/") + call.path_qs
        body = _request_body(call, streams=streams)
        async with asked(self.session, call.method, url, call.headers, body, due=first_due) as response:
            if response.status >= 400:
                await self._give_back(response, delivery, due=plain_due)
                return False
            if streams and response.content_type == "text/event-stream":
                self._learn(call, upstream, streams=True)
                events = EventStream(
                    response,
                    call.dialect,
                    first_due=first_due,
                    between_s=self.settings.between_events,
                    total_due=total_due,
                )
                await self._stream(call, response, events, delivery)
            else:
                await self._plain(call, upstream, response, delivery, due=plain_due, asked_stream=streams)
        return True

    def _answers_plain(self, call: Call, upstream: Upstream) -> bool:
        known = self.capabilities.recall(upstream.name, call.model)
        upstream.counts.capability_hits += known is not None
        upstream.counts.capability_misses += known is None
        return known is not None and not known.streams

    def _learn(self, call: Call, upstream: Upstream, *, streams: bool) -> None:
        self.capabilities.learn(upstream.name, call.model, streams=streams)
        if upstream.streams is not streams:
            upstream.streams = streams
            upstream.streams_since = asyncio.get_running_loop().time()

    async def _give_back(self, response: aiohttp.ClientResponse, delivery: Delivery, *, due: float) -> None:
        """An error that is the client's goes back as it came; others are failures of the upstream."""
        status = response.status
        if delivery.begun or not self.behaviour.clients_fault(status):
            raise Refused(status, retry_after(response.headers, self.wall()))
        await delivery.whole(status, response.headers.items(), await read_whole(response, due=due))

    async def _plain(
        self,
        call: Call,
        upstream: Upstream,
        response: aiohttp.ClientResponse,
        delivery: Delivery,
        *,
        due: float,
        asked_stream: bool,
    ) -> None:
        body = await read_whole(response, due=due)
        if call.is_chat:
            _check_plain(call, body)
        if call.streamed is None:
            await delivery.whole(response.status, response.headers.items(), body)
            return
        if asked_stream:
            self._learn(call, upstream, streams=False)
        try:
            events = self.behaviour.wrap(call.streamed, body, call.facts.asks_usage)
        except (LookupError, TypeError, AttributeError) as error:
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, "a plain answer of unknown shape") from error
        headers = travelling(response.headers.items(), "content-type")
        headers["Content-Type"] = call.dialect.stream_type
        await delivery.pass_on(response.status, headers.items(), [events])
        await delivery.finish()

    async def _stream(
        self, call: Call, response: aiohttp.ClientResponse, events: EventStream, delivery: Delivery
    ) -> None:
        tally = Tally()
        held: list[bytes] = []
        while (event := await events.next()) is not None:
            if event.meaning.kind == Kind.KEEPALIVE and not (tally.tokens and self.behaviour.forwards_heartbeats):
                continue
            tally.see(event.meaning)
            ends = bool(event.meaning.kind & Kind.TERMINAL)
            if ends:
                self._check(tally)
            restarted = delivery.begun and not tally.tokens
            if not restarted and not (call.hides_usage and event.meaning.kind == Kind.USAGE):
                held.append(event.frame)
            if ends or (tally.tokens and self.behaviour.passes_at_once(event.meaning.kind)):
                await delivery.pass_on(response.status, response.headers.items(), held)
                held.clear()
            if ends:
                await delivery.finish()
                await events.drain(DRAIN_S)
                return
        await self._end_early(call, tally, delivery)

    def _check(self, tally: Tally) -> None:
        problem = tally.gap() or self.behaviour.miscount(tally)
        if problem is not None:
            raise UpstreamFailed(UpstreamFailed.INCOMPLETE, problem)

    async def _end_early(self, call: Call, tally: Tally, delivery: Delivery) -> None:
        end = self.behaviour.early_end(call.dialect, call.model) if tally.tokens else None
        if end is None:
            raise UpstreamFailed(UpstreamFailed.INCOMPLETE, tally.gap() or "no answer")
        await delivery.send(end)
        await delivery.finish()


def _request_body(call: Call, *, streams: bool) -> bytes:
    if call.streamed is None:
        return call.body
    return call.streamed.ask_stream(call.body) if streams else call.streamed.ask_plain(call.body)


def _check_plain(call: Call, body: bytes) -> None:
    """A plain answer is one event that is also the terminal one. Raises UpstreamFailed when it is not whole."""
    meaning = call.dialect.read_answer(body)
    tally = Tally()
    tally.see(replace(meaning, kind=meaning.kind | Kind.TERMINAL))
    if problem := tally.gap():
        raise UpstreamFailed(UpstreamFailed.INCOMPLETE, problem)
