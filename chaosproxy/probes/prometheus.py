"""Looks at the result of a query at a Prometheus server."""

from __future__ import annotations

import json
import math
from typing import Any

import aiohttp

from chaosproxy.experiment.probe import Seen
from chaosproxy.experiment.probe_kinds import PrometheusProbe
from chaosproxy.probes.http import read, refused


async def look(probe: PrometheusProbe) -> Seen:
    """Ask once; no answer of the server says anything about the system, but a number."""
    url = f"{probe.prometheus.rstrip('/')}/api/v1/query"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.get(url, params={"query": probe.query}, headers=probe.headers, allow_redirects=False) as response,
        ):
            body = await read(response)
    except (aiohttp.ClientError, OSError) as error:
        return Seen("unknown", None, f"the Prometheus server: {refused(error).detail}")
    try:
        number = result_of(response.status, json.loads(body))
    except (ValueError, RecursionError) as error:
        status = f"status {response.status}" if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
        return Seen("unknown", None, f"the Prometheus server: {status}")
    return Seen.by(probe.expect, number, "the result")


def result_of(status: int, answer: Any) -> float:
    """The number in an answer of the query API. Raises ValueError that says why there is none."""
    if not isinstance(answer, dict) or answer.get("status") != "success":
        kind = answer.get("errorType") if isinstance(answer, dict) else None
        raise ValueError(f"status {status}" + (f", {kind}" if isinstance(kind, str) else ""))
    try:
        data = answer["data"]
        result = data["result"]
        if data["resultType"] == "vector":
            if len(result) != 1:
                raise ValueError("the query has no data" if not result else f"the query gives {len(result)} series")
            result = result[0]["value"]
        elif data["resultType"] != "scalar":
            raise ValueError("the query gives no single number, but a matrix or text")
        number = float(result[1])
    except (LookupError, TypeError):
        raise ValueError("an answer that cannot be read") from None
    if not math.isfinite(number):
        raise ValueError(f"the result is {number}")
    return number
