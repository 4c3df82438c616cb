"""A13: signs of life of a slow upstream pass within 50 ms.

    pytest experiments/streaming-adapter/test_heartbeat_times.py
    GATEWAY=... BEAT=3 PAUSE=10 pytest experiments/streaming-adapter/test_heartbeat_times.py       real times

GATEWAY is the command of your adapter (load-balancing-gateway/gateway.py, beside this folder). The same is asked of the
upstream itself, at the same time: where its heartbeats are late already, this machine is, and both are asked again. It
ends with 3 when nothing could be shown.
"""

import json
import os
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "load-balancing-gateway")]
from gateway import gateway

BEAT_S = float(os.environ.get("BEAT", "0.3"))
PAUSE_S = float(os.environ.get("PAUSE", "1.7"))
WITHIN_S = 0.050
OWN_S = 0.010
"""A machine that is later than this by itself has shown nothing."""
TRIES = 10


def test_heartbeats_pass_at_once(chaos):
    """Each gap between two of them is what the upstream made of it, 50 ms more or less; a second try has to agree."""
    a = chaos.backend()
    failed = []
    with gateway(a.url, a.url) as url, ThreadPoolExecutor(2) as pool:
        for _ in range(TRIES):
            stall = a.fault("time.stall", where="token:5", hold=PAUSE_S, min_hits=0)
            with stall, a.fault("sse.comment", text="alive", period=BEAT_S, min_hits=0):
                own, theirs = pool.map(beats, (a.url, url))
            assert len(own) >= PAUSE_S / BEAT_S - 2, "the upstream sent no heartbeats"
            assert len(theirs) >= len(own) - 1, f"of {len(own)} heartbeats {len(theirs)} passed"
            if late_s(own) > OWN_S:
                continue
            if late_s(theirs) <= WITHIN_S:
                return
            failed.append(f"{late_s(theirs) * 1e3:.0f} ms")
            assert len(failed) < 2, f"heartbeats came {' and '.join(failed)} too early or late, 50 ms are allowed"
    pytest.exit(f"inconclusive: this machine was more than {OWN_S * 1e3:.0f} ms late in each of {TRIES} tries", 3)


def beats(url):
    """When the comments of one stream came."""
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Are you there?"}]}
    request = urllib.request.Request(  # noqa: S310 - http
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return [monotonic() for line in answer if line.startswith(b":")]


def late_s(times):
    """The worst gap, as far as it is from what it should be; the first comment is no heartbeat yet."""
    return max(abs(later - earlier - BEAT_S) for earlier, later in pairwise(times[1:]))
