"""OpenTelemetry spans: one for each exchange, made of its journal record when it has ended.

A request with a W3C ``traceparent`` keeps it on its way to the upstream, untouched; our span is one more child of the
span that it names, with the times, the outcome and the faults. It is sampled as that one is. This module needs the
extra ``otel``.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from chaosproxy import __version__
from chaosproxy.control.outcomes import Fate, Outcome, fate_of, outcome_of, upstream_error_of
from chaosproxy.errors import UserError
from chaosproxy.events import header
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import Opened

EXPORT_S = 2.0
"""How long one export may take, and how long the end of the proxy waits for the last."""
_CARRIED = ("traceparent", "tracestate")


class Spans:
    """Makes spans with ``tracer``; ``add`` takes each journal entry. ``opened`` says how the two clocks stand."""

    def __init__(self, tracer: Tracer, opened: Opened) -> None:
        self._tracer = tracer
        self._offset_s = opened.wall - opened.mono
        self._types: dict[str, str] = {}  # of active faults
        self._hits: defaultdict[str, list[Entry]] = defaultdict(list)  # by exchanges that have not ended

    def add(self, entry: Entry) -> None:
        """Take a record in; that of an exchange becomes a span."""
        match entry.get("type"):
            case "exchange":
                self._make(entry, self._hits.pop(entry.get("id") or "", []))
            case "hit" if (exchange := entry.get("exchange")) is not None:
                self._hits[exchange].append(entry)
            case "fault" if entry.get("edge") == "applied":
                self._types[entry.get("fault") or ""] = entry.get("fault_type") or ""
            case "fault" if entry.get("edge") == "healed":
                self._types.pop(entry.get("fault") or "", None)

    def _make(self, entry: Entry, hits: list[Entry]) -> None:
        sent, began_at = entry.get("sent") or {}, entry.get("began_at")
        outcome = outcome_of(sent, stream=entry.get("stream") is True)
        span = self._tracer.start_span(
            f"{entry.get('method')} {entry.get('dialect')}",
            context=self._parent(entry),
            kind=SpanKind.SERVER,
            attributes=dict(self._attributes(entry, outcome)),
            start_time=self._ns(began_at),
        )
        for hit in hits:
            fault = hit.get("fault")
            about = {"chaosproxy.fault": fault, "chaosproxy.fault.detail": hit.get("detail") or ""}
            span.add_event("fault", about, timestamp=self._ns(hit.get("at")))
        if outcome is not Outcome.OK:
            span.set_status(Status(StatusCode.ERROR, outcome.value))
        span.end(self._ns(sent.get("end_at", began_at)))

    def _attributes(self, entry: Entry, outcome: Outcome) -> Iterator[tuple[str, AttributeValue]]:
        sent, received = entry.get("sent") or {}, entry.get("received") or {}
        reasons = {miss["fault"]: miss["reason"] for miss in entry.get("misses") or ()}
        attached = entry.get("attached") or []
        fates = {fault: fate_of(reasons.get(fault), attached=fault in attached) for fault in (*attached, *reasons)}
        injected = [fault for fault, fate in fates.items() if fate is Fate.INJECTED]
        upstream_error = upstream_error_of(received, entry.get("error"))
        known: dict[str, Any] = {
            "http.request.method": entry.get("method"),
            "url.path": entry.get("path"),
            "http.response.status_code": sent.get("status"),
            "error.type": None if outcome is Outcome.OK else outcome.value,
            "gen_ai.request.model": entry.get("model"),
            "gen_ai.usage.input_tokens": received.get("prompt_tokens"),
            "gen_ai.usage.output_tokens": received.get("output_tokens"),
            "chaosproxy.listener": entry.get("listener"),
            "chaosproxy.exchange": entry.get("id"),
            "chaosproxy.dialect": entry.get("dialect"),
            "chaosproxy.outcome": outcome.value,
            "chaosproxy.upstream.status_code": received.get("status"),
            "chaosproxy.upstream.error": upstream_error,
            "chaosproxy.faults.injected": injected or None,
            "chaosproxy.faults.types": [self._types.get(fault, "") for fault in injected] or None,
            "chaosproxy.faults.not_applicable": [it for it, fate in fates.items() if fate is Fate.NOT_APPLICABLE]
            or None,
        }
        return ((name, value) for name, value in known.items() if value is not None)

    @staticmethod
    def _parent(entry: Entry) -> Any:
        headers = () if entry.exchange is None else entry.exchange.headers
        carried = {name: value for name in _CARRIED if (value := header(headers, name)) is not None}
        return TraceContextTextMapPropagator().extract(carried)

    def _ns(self, at: float) -> int:
        return int((at + self._offset_s) * 1e9)


@asynccontextmanager
async def exporting(endpoint: str, opened: Opened) -> AsyncIterator[Callable[[Entry], None]]:
    """Send spans to ``endpoint`` (OTLP over HTTP), in a thread; yields what takes the entries. What waits at the end
    is sent within EXPORT_S, or lost. Raises UserError for what is no URL.
    """
    provider = _provider(endpoint)
    try:
        yield Spans(provider.get_tracer("chaosproxy", __version__), opened).add
    finally:
        await _shut_down(provider)


def _provider(endpoint: str) -> TracerProvider:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(
            "--otel-endpoint: expected a URL such as http://127.0.0.1:4318/v1/traces"
        )  # it may hold a secret
    resource = Resource.create({"service.name": "chaosproxy", "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=EXPORT_S)))
    return provider


async def _shut_down(provider: TracerProvider) -> None:
    """In a thread that nobody has to wait for: a collector that is gone must not hold up the end."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def shut_down() -> None:
        provider.shutdown()
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=shut_down, daemon=True).start()
    try:
        await asyncio.wait_for(done.wait(), EXPORT_S)
    except TimeoutError:
        return
