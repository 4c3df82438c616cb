"""Faults in the words of a Toxiproxy server."""

from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.faults import build
from chaosproxy.plan.on_server import Hits, OnServer, ServerToxic, on_server

TIMEOUT = {"timeout": 0}


@pytest.mark.parametrize(
    ("do", "there"),
    [
        (
            {"type": "toxic.latency", "latency": "100ms", "jitter": "5ms", "direction": "upstream", "toxicity": "30%"},
            OnServer((ServerToxic("latency", "upstream", 0.3, {"latency": 100, "jitter": 5}),)),
        ),
        (
            {"type": "toxic.slicer", "average_size": 10, "size_variation": 3, "delay": "2ms"},
            OnServer(
                (ServerToxic("slicer", "downstream", 1.0, {"average_size": 10, "size_variation": 3, "delay": 2000}),)
            ),
        ),
        ({"type": "toxic.down"}, OnServer(disables=True)),
        ({"type": "partition", "via": "toxiproxy", "mode": "refuse"}, OnServer(disables=True)),
        (
            {"type": "partition", "via": "toxiproxy", "mode": "reset"},
            OnServer((ServerToxic("reset_peer", "upstream", attributes=TIMEOUT),), cuts_open=True),
        ),
        (
            {"type": "partition", "via": "toxiproxy", "mode": "lost_response"},
            OnServer((ServerToxic("timeout", "downstream", 1.0, TIMEOUT, ".downstream"),), cuts_open=True),
        ),
        ({"type": "conn.refuse"}, None),
    ],
)
def test_what_a_fault_is_there(do: dict[str, Any], there: OnServer | None) -> None:
    """Toxiproxy's names, whole numbers and directions."""
    assert on_server(build(do)) == there


@pytest.mark.parametrize(
    ("do", "hits"),
    [
        ({"type": "toxic.latency", "latency": "1s"}, Hits.SEEN),
        ({"type": "toxic.latency", "latency": "1s", "toxicity": "99%"}, Hits.UNKNOWN),
        ({"type": "toxic.down"}, Hits.NO_TRACE),
        ({"type": "toxic.timeout"}, Hits.SEEN),
        ({"type": "toxic.timeout", "direction": "upstream"}, Hits.NO_TRACE),
        ({"type": "toxic.bandwidth", "rate": 0, "direction": "upstream"}, Hits.NO_TRACE),
        ({"type": "toxic.bandwidth", "rate": 1, "direction": "upstream"}, Hits.SEEN),
        ({"type": "partition", "via": "toxiproxy", "mode": "blackhole"}, Hits.NO_TRACE),
        ({"type": "partition", "via": "toxiproxy", "mode": "lost_request"}, Hits.NO_TRACE),
        ({"type": "partition", "via": "toxiproxy", "mode": "lost_response"}, Hits.SEEN),
    ],
)
def test_what_can_be_known_of_its_hits(do: dict[str, Any], hits: Hits) -> None:
    """Requests that come through are seen at our listener; a draw is nobody's to see."""
    there = on_server(build(do))

    assert there is not None
    assert there.hits is hits
