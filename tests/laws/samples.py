"""Settings on which the laws are tried, for every fault of the catalogue."""

from __future__ import annotations

from typing import Any

from chaosproxy.faults import CATALOGUE, fault_class
from chaosproxy.faults.base import Fault

_PLACES = (
    "event:0",
    "event:2",
    "token:0",
    "token:2",
    "first_event",
    "before_terminal",
    "byte:0",
    "byte:33",
    "percent:50",
)
_SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "http.status": (
        {"status": 418, "message": "no", "headers": {"x-a": "b"}},
        {"status": 404, "code": "model_not_found"},
        *({"flavour": flavour} for flavour in ("vllm_oom", "engine_dead", "model_loading", "model_not_found")),
    ),
    "http.rate_limit": ({"retry_after": "soon"}, {"retry_after": 1.5, "limit_headers": False}, {"quota": True}),
    "conn.refuse": ({"stage": "after_request"},),
    "conn.blackhole": ({"hold": "2s"}, {"hold": "0s"}),
    "conn.lost_response": ({"mode": "reset"},),
    "time.first_token": (
        {"mean": "0s"},
        {"profile": "7b"},
        *({"mean": "1s", "jitter": "1s", "dist": dist} for dist in ("uniform", "normal", "lognormal", "pareto")),
    ),
    "time.inter_token": (
        {"mean": "0s"},
        {"profile": "70b"},
        *({"mean": "1s", "jitter": "1s", "dist": dist} for dist in ("uniform", "normal", "lognormal", "pareto")),
    ),
    "time.stall": (
        {"hold": "0s"},
        {"hold": "1s", "where": "after_terminal"},
        *({"hold": "2s", "where": where} for where in _PLACES),
        {"where": "byte:33"},
    ),
    "stream.truncate": (
        *({"where": where} for where in _PLACES),
        {"where": "token:2", "framing": "close"},
        {"where": "byte:33", "framing": "length"},
    ),
    "stream.fin": tuple({"where": where} for where in (*_PLACES, "after_terminal")),
    "stream.reset": tuple({"where": where} for where in (*_PLACES, "after_terminal")),
    "sse.drop": (
        {"where": "before_terminal"},
        {"where": "before_terminal", "never": []},
        {"each": 3},
        {"each": 2, "offset": 1, "never": ["terminal"]},
        {"each": 1},
    ),
    "sse.malformed": tuple(
        {"mode": mode, "where": where}
        for mode in ("cut", "garbage", "not_json", "json_null")
        for where in _PLACES[1:6:2]
    ),
    "llm.error_event": (
        *({"where": where} for where in _PLACES),
        {"where": "token:1", "error_type": "rate_limit_error"},
    ),
    "llm.no_terminal": tuple({"which": which} for which in ("finish", "both", "stop_event")),
    "http.retry_hint": ({"should_retry": True}, {"status": 429}),
    "http.html_page": tuple({"flavour": flavour} for flavour in ("nginx", "login")),
    "http.ok_error": tuple({"body": body} for body in ("empty", "json_null", "html")),
    "http.foreign_error": ({"dialect": "openai.chat"},),
    "conn.reset": ({"stage": "accept"},),
    "conn.close": ({"stage": "accept"},),
    "conn.partial_head": ({"head_bytes": 1}, {"head_bytes": 1000}),
    "conn.cap": ({"connections": 2}, {"excess": "refuse"}),
    "conn.slow_accept": ({"hold": "0s"}, {"hold": "3s"}),
    "time.first_byte": ({"mean": "0s"}, {"profile": "13b"}, {"mean": "1s", "jitter": "1s"}),
    "time.keepalive_only": (
        *({"where": where} for where in _PLACES[:6]),
        {"kind": "ping", "period": "300ms", "where": "token:1"},
        *({"kind": "byte", "where": where} for where in ("token:1", "byte:33")),
    ),
    "time.buffer": tuple({"until": until} for until in ("events:1", "events:3", "bytes:1", "bytes:100")),
    "time.bandwidth": ({"bytes_per_second": 50, "chunk_bytes": 7}, {"bytes_per_second": 1e9}),
    "time.linger": ({"hold": "0s"}, {"hold": "forever"}),
    "stream.cut_event": (
        {"where": "token:1", "byte": 3},
        *({"where": where} for where in ("before_terminal", "event:2", "byte:33", "percent:50")),
    ),
    "stream.chunk_size": tuple({"where": where} for where in (*_PLACES, "after_terminal")),
    "stream.length": ({"delta": 0}, {"delta": 20}, {"delta": -100000}),
    "stream.encoding": ({"mode": "gzip_cut"},),
    "stream.unclean_end": ({"how": "reset"},),
    "sse.duplicate": ({"where": "token:1"}, {"each": 2}, {"each": 1, "never": []}),
    "sse.reorder": ({"where": "token:1"}, {"each": 3, "distance": 2}, {"where": "event:1", "never": []}),
    "sse.split": tuple({"where": "token:1", "mode": mode} for mode in ("blank_line", "data_lines")),
    "sse.merge": tuple({"where": "token:1", "mode": mode} for mode in ("blank_line", "data_lines")),
    "sse.comment": ({"period": "300ms", "text": ""},),
    "sse.field": ({"event_id": "7"}, {"event_id": "7", "retry": 10}),
    "sse.empty": ({"named": "ping"},),
    "sse.utf8": tuple({"mode": mode} for mode in ("invalid", "bom")),
    "sse.line_end": tuple({"to": to} for to in ("lf", "cr", "split")),
    "sse.line_separator": tuple({"where": "token:1", "char": char} for char in ("U+2028", "U+2029", "U+0085")),
    "sse.event_name": ({"mode": "rename"},),
    "llm.foreign_error_event": tuple(
        {"where": "token:1", "shape": shape} for shape in ("openai", "string", "object_error", "response_failed")
    ),
    "llm.early_stop": (*({"where": where} for where in _PLACES[:6]), {"where": "token:1", "finish": "stop"}),
    "llm.choices": tuple({"where": "token:1", "value": value} for value in ("empty", "json_null")),
    "llm.dialect_swap": ({"dialect": "openai.chat"},),
    "llm.cross_stream": ({"events": 1},),
    "llm.tool_args_cut": ({"byte": 0}, {"byte": 3, "finish": "absent"}),
    "llm.finish_reason": ({"old": "stop", "new": "tool_calls"},),
    "llm.refusal": tuple({"where": "token:1", "kind": kind} for kind in ("content_filter", "refusal")),
    "llm.usage": tuple({"mode": mode} for mode in ("missing", "negative", "factor:2.5")),
    "llm.repeat": ({"where": "token:1", "times": 1},),
    "llm.schema": (
        {"drop": "model"},
        {"nullify": "choices,delta.text"},
        {"rename": {"choices[*].delta.content": "text", "type": "kind"}},
    ),
    "body.truncate": ({"bytes": 0}, {"bytes": 33}, {"percent": 20}),
    "body.corrupt": ({"offset": 33, "length": 50},),
    "ws.close": (
        *({"where": f"message:{number}"} for number in range(4)),
        {"where": "first_event", "code": 4000},
    ),
    "ws.delay": ({"mean": "0s"}, {"mean": "100ms"}, {"mean": "1s", "jitter": "1s"}),
    "ws.drop": ({"each": 1}, {"each": 3}),
    "toxic.latency": (
        {"latency": "1s"},
        {"latency": "100ms", "jitter": "50ms"},
        {"latency": "10ms", "jitter": "1s"},
        {"latency": "1s", "direction": "upstream", "toxicity": "50%"},
    ),
    "toxic.bandwidth": ({"rate": 1}, {"rate": 1000}),
    "toxic.slow_close": ({"delay": "2s"},),
    "toxic.timeout": ({"timeout": "300ms"}, {"timeout": "2s"}),
    "toxic.reset_peer": ({"timeout": "300ms"}, {"timeout": "2s"}),
    "toxic.slicer": (
        {"average_size": 10},
        {"average_size": 10, "delay": "10ms"},
        {"average_size": 1, "size_variation": 1},
        {"average_size": 100, "size_variation": 50, "delay": "10ms"},
        {"delay": "100ms"},
    ),
    "toxic.limit_data": ({"bytes": 1}, {"bytes": 99}, {"bytes": 100}, {"bytes": 10_000}),
    "toxic.down": ({"toxicity": "50%"},),
    "partition": tuple(
        {"mode": mode, "live_streams": live}
        for mode in ("refuse", "blackhole", "reset", "lost_request", "lost_response")
        for live in ("cut", "stall", "keep")
    ),
}

SAMPLES: tuple[Fault, ...] = tuple(
    fault_class(fault.type).model_validate(values)
    for fault in CATALOGUE
    for values in ({}, *_SETTINGS.get(fault.type, ()))
)
"""Each fault with its defaults and with settings that reach every branch."""
