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
        *({"flavour": flavour} for flavour in ("vllm_oom", "engine_dead", "model_loading")),
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
