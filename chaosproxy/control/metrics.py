"""What a proxy says of itself under ``/metrics``: to Prometheus as text, to others as JSON.

    /metrics                                    text; JSON to who asks for it (Accept: application/json)
    /metrics/prometheus                         text
    /metrics/events, errors, streaming, slo     JSON

They stand on the control port. On the ports that carry traffic they are for those who ask for it, in front of the
upstream's own paths; there ``/metrics`` is JSON but to who asks for text, because clients of such servers expect that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from chaosproxy.control.families import ProxyCollector
from chaosproxy.control.figures import Figures
from chaosproxy.control.summaries import SUMMARIES, read_target, slo
from chaosproxy.errors import UserError
from chaosproxy.events import Headers, header
from chaosproxy.proxy.own_answer import Page
from chaosproxy.proxy.proxy import Proxy

ROOT = "/metrics"
TEXT_PATH = f"{ROOT}/prometheus"
SLO_PATH = f"{ROOT}/slo"
PATHS = (*SUMMARIES, TEXT_PATH)
JSON = "application/json"
_TEXTS = ("text/plain", "application/openmetrics-text")
"""What a scraper accepts."""


@dataclass(frozen=True, slots=True)
class _One(Collector):
    metric: Metric

    def collect(self) -> Iterable[Metric]:
        return (self.metric,)


class Metrics:
    """The pages of one proxy. ``figures`` must be told of every journal entry."""

    def __init__(self, figures: Figures, proxy: Proxy) -> None:
        self._figures = figures
        self.registry = CollectorRegistry()
        self.registry.register(ProxyCollector(figures, proxy))
        ProcessCollector(registry=self.registry)

    def routes(self) -> Iterable[web.RouteDef]:
        """For the control API."""
        return [web.get(path, self._answer) for path in PATHS]

    def on_data_port(self, target: str, headers: Headers) -> Page | None:
        """The page for a request to a port that carries traffic, unless it is the upstream's."""
        path, _, query = target.partition("?")
        if path not in PATHS:
            return None
        accept = header(headers, "accept") or ""
        if path == TEXT_PATH or (path == ROOT and any(name in accept for name in _TEXTS)):
            return Page(CONTENT_TYPE_PLAIN_0_0_4, b"".join(self._text()))
        return self._json(path, query)

    def _text(self) -> Iterator[bytes]:
        """Prometheus' text, a metric at a time, all of one moment."""
        return (generate_latest(_One(metric)) for metric in list(self.registry.collect()))

    def _json(self, path: str, query: str) -> Page:
        targets = parse_qs(query).get("target") if path == SLO_PATH else None
        try:
            values = slo(self._figures, read_target(targets[0])) if targets else SUMMARIES[path](self._figures)
        except UserError as error:
            return Page(JSON, json.dumps({"error": str(error)}).encode(), 400)
        return Page(JSON, json.dumps(values).encode())

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path != TEXT_PATH and (request.path != ROOT or JSON in request.headers.get("Accept", "")):
            page = self._json(request.path, request.query_string)
            return web.Response(body=page.body, status=page.status, content_type=page.content_type)
        text = bytearray()
        for piece in self._text():
            text += piece
            await asyncio.sleep(0)  # streams go on in between
        return web.Response(body=bytes(text), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
