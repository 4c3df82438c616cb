"""The faults of the table, as ``--fault`` spells them. After a change: `make outcomes`."""

from __future__ import annotations

from chaosproxy.faults.docs import catalogue
from chaosproxy.report.catalogue import examples

HEALTHY = "none"
"""The row without a fault."""

_TOLD = (
    HEALTHY,
    "http.status status=400",
    "http.status status=401",
    "http.status status=401 message=denied",
    "http.status status=404",
    "http.status status=408",
    "http.status status=409",
    "http.status status=500",
    "http.status status=503",
    "http.status status=503 headers.x-should-retry=false",
    "http.status status=400 headers.x-should-retry=true",
    "http.status status=529",
    "http.status flavour=vllm_oom",
    "http.rate_limit",
    "http.rate_limit retry_after=1",
    "http.rate_limit retry_after=soon",
    "http.rate_limit retry_after=3600",
    "http.rate_limit retry_after_ms=1",
    "http.rate_limit quota=true",
    "conn.refuse",
    "conn.refuse stage=after_request",
    "conn.blackhole",
    "conn.lost_response",
    "conn.lost_response mode=reset",
    "partition mode=refuse",
    "partition mode=reset",
    "partition mode=blackhole",
    "partition mode=lost_request",
    "partition mode=lost_response",
    "time.first_token mean=50ms",
    "time.first_token mean=2s",
    "time.inter_token mean=5ms",
    "time.inter_token mean=100ms",
    "time.stall where=event:0",
    "time.stall where=token:0",
    "time.stall where=token:5",
    "time.stall where=before_terminal",
    "time.stall where=after_terminal",
    "stream.truncate where=event:0",
    "stream.truncate where=token:0",
    "stream.truncate where=token:5",
    "stream.truncate where=token:5 framing=close",
    "stream.truncate where=token:5 framing=length",
    "stream.truncate where=byte:1000",
    "stream.truncate where=before_terminal",
    "stream.fin where=event:0",
    "stream.fin where=token:0",
    "stream.fin where=token:5",
    "stream.fin where=after_terminal",
    "stream.reset where=event:0",
    "stream.reset where=token:0",
    "stream.reset where=token:5",
    "stream.reset where=after_terminal",
    "sse.drop where=first_event",
    "sse.drop where=token:5",
    "sse.malformed where=first_event",
    "sse.malformed where=token:5",
    "sse.malformed where=token:5 mode=garbage",
    "sse.malformed where=token:5 mode=not_json",
    "sse.malformed where=token:5 mode=json_null",
    "llm.error_event where=event:0",
    "llm.error_event where=token:5",
    "llm.no_terminal which=done",
    "llm.no_terminal which=finish",
    "llm.no_terminal which=both",
    "llm.no_terminal which=stop_event",
)
_NAMED = {line.partition(" ")[0] for line in _TOLD}

FAULTS = (*_TOLD, *(examples(doc)[0] for doc in catalogue() if doc.name not in _NAMED))
"""A fault that no line names comes in with the settings of its example."""
