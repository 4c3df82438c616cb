"""Spans of exchanges, from records; and their way to a collector."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from chaosproxy.control.spans import EXPORT_S, Spans, exporting
from chaosproxy.errors import UserError
from chaosproxy.events import Exchange
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import FaultEdge, Opened
from chaosproxy.journal.traffic import FaultHit

OPENED = Opened(process="proxy", host="h", pid=1, mono=100.0, wall=1_000_100.0, chaosproxy="0")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Told:
    """Spans in memory, of the entries that it is told."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.spans = Spans(provider.get_tracer("test"), OPENED)

    def tell(self, *entries: Entry) -> None:
        """In their order."""
        for entry in entries:
            self.spans.add(entry)

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self._kept.get_finished_spans()

    @property
    def one(self) -> ReadableSpan:
        (span,) = self.all
        return span


@pytest.fixture
def told() -> Told:
    """Nothing yet."""
    return Told()


def _ended(*fields: tuple[str, str], exchange_id: str = "a-t-1", **changes: Any) -> Entry:
    """The entry of an exchange, as the proxy makes it."""
    exchange = Exchange(exchange_id, "a", 1, "POST", "/v1/chat/completions", headers=fields)
    whole = {"status": 200, "ended": "end", "terminal": True, "end_at": 112.5}
    values = {
        "type": "exchange",
        "id": exchange_id,
        "listener": "a",
        "method": "POST",
        "path": "/v1/chat/completions",
        "dialect": "openai.chat",
        "model": "m",
        "stream": True,
        "began_at": 110.0,
        "sent": whole,
        "received": {**whole, "prompt_tokens": 3, "output_tokens": 24},
        **changes,
    }
    return Entry(values, exchange)


def _applied(fault: str, fault_type: str) -> Entry:
    return Entry.of(FaultEdge(fault=fault, edge="applied", at=1.0, listeners=["a"], fault_type=fault_type))


def test_a_span_has_the_times_and_facts_of_its_exchange(told: Told) -> None:
    """In wall time, nanoseconds."""
    told.tell(_ended())

    span = told.one
    assert (span.name, span.kind) == ("POST openai.chat", SpanKind.SERVER)
    assert (span.start_time, span.end_time) == (1_000_110_000_000_000, 1_000_112_500_000_000)
    assert span.parent is None
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "url.path": "/v1/chat/completions",
        "http.response.status_code": 200,
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 24,
        "chaosproxy.listener": "a",
        "chaosproxy.exchange": "a-t-1",
        "chaosproxy.dialect": "openai.chat",
        "chaosproxy.outcome": "ok",
        "chaosproxy.upstream.status_code": 200,
    }


def test_a_traceparent_continues_the_trace(told: Told) -> None:
    """Whatever the casing of its name; a broken one begins a new trace."""
    told.tell(
        _ended(("TraceParent", f"00-{TRACE}-{SPAN}-01"), ("tracestate", "a=1")),
        _ended(("traceparent", "nonsense"), exchange_id="a-t-2"),
    )

    first, second = told.all
    assert first.parent is not None
    assert (first.parent.trace_id, first.parent.span_id) == (int(TRACE, 16), int(SPAN, 16))
    assert first.context.trace_id == int(TRACE, 16)
    assert first.context.trace_state.get("a") == "1"
    assert second.parent is None


def test_a_trace_that_is_not_sampled_stays_so(told: Told) -> None:
    """The flag of the ``traceparent`` decides."""
    told.tell(_ended(("traceparent", f"00-{TRACE}-{SPAN}-00")))

    assert told.all == ()


def test_faults_are_attributes_and_their_hits_events(told: Told) -> None:
    """With their types; those of other exchanges are not told here."""
    told.tell(
        _applied("cut", "stream.truncate"),
        Entry.of(FaultHit(fault="cut", at=111.0, listener="a", exchange="a-t-2", detail="another's")),
        Entry.of(FaultHit(fault="cut", at=111.5, listener="a", exchange="a-t-1", detail="truncated after token 3")),
        _ended(
            attached=["cut", "late"],
            misses=[
                {"fault": "late", "reason": "the answer ended before token 500"},
                {"fault": "spared", "reason": "share: drew 0.9, chosen below 0.5"},
            ],
            sent={"status": 200, "ended": "end", "end_at": 112.0},
        ),
    )

    span, attributes = told.one, dict(told.one.attributes or {})
    assert attributes["chaosproxy.faults.injected"] == ("cut",)
    assert attributes["chaosproxy.faults.types"] == ("stream.truncate",)
    assert attributes["chaosproxy.faults.not_applicable"] == ("late",)
    assert (attributes["chaosproxy.outcome"], attributes["error.type"]) == ("truncated", "truncated")
    assert span.status.status_code is StatusCode.ERROR
    (event,) = span.events
    assert event.timestamp == 1_000_111_500_000_000
    assert dict(event.attributes or {}) == {
        "chaosproxy.fault": "cut",
        "chaosproxy.fault.detail": "truncated after token 3",
    }


def test_an_upstreams_own_error_is_told_apart(told: Told) -> None:
    """Its kind is an attribute."""
    told.tell(_ended(error="connect: connection refused", received={}, sent={"status": 502, "ended": "end"}))

    attributes = dict(told.one.attributes or {})
    assert attributes["chaosproxy.upstream.error"] == "connect"
    assert "chaosproxy.faults.injected" not in attributes


def test_header_values_are_in_no_span(told: Told) -> None:
    """Keys and cookies stay where they are."""
    told.tell(_ended(("authorization", "Bearer sk-planted"), ("cookie", "planted=1")))

    assert "planted" not in told.one.to_json()


async def test_a_collector_gets_them() -> None:
    """Over HTTP, also those that wait when the proxy ends."""
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        got.put_nowait(await request.read())
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.add_routes([web.post("/v1/traces", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    try:
        async with exporting(f"http://{host}:{port}/v1/traces", OPENED) as add:
            add(_ended())
        body = await asyncio.wait_for(got.get(), 10)
    finally:
        await runner.cleanup()

    sent = ExportTraceServiceRequest.FromString(body)
    (resource,) = sent.resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == "chaosproxy"
    assert resource.scope_spans[0].spans[0].name == "POST openai.chat"


async def test_a_collector_that_is_gone_does_not_hold_up_the_end() -> None:
    """The proxy ends within its time; what could not be sent is lost."""
    began_at = time.monotonic()
    async with exporting("http://127.0.0.1:1/v1/traces", OPENED) as add:
        add(_ended())

    assert time.monotonic() - began_at < 3 * EXPORT_S


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", ""])
async def test_an_endpoint_must_be_a_url(endpoint: str) -> None:
    """In words, before anything is started."""
    with pytest.raises(UserError, match="--otel-endpoint: expected a URL"):
        async with exporting(endpoint, OPENED):
            pass
