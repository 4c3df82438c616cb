"""B13: one scenario, on the lab and on a live upstream; the live half is skipped when nobody said where that is.

    pytest experiments/load-balancing-gateway/test_scenario.py
    CHAOSPROXY_LIVE_URL=... CHAOSPROXY_LIVE_MODEL=... pytest --chaos-live .../test_scenario.py

GATEWAY is the command of your gateway, with {a}, {b} and {port} in it; see gateway.py beside this file.
"""

import json
import sys
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from gateway import gateway


@pytest.mark.chaos_live
def test_the_capital_behind_a_failing_upstream(chaos):
    """The first answer is a 503; the client gets Paris all the same."""
    backend = chaos.backend()
    body = {
        "model": chaos.model,
        "messages": [{"role": "user", "content": "In one word, can you provide me the capital of France?"}],
    }
    headers = {"content-type": "application/json", "authorization": f"Bearer {chaos.api_key}"}
    with gateway(backend.url, backend.url) as url, backend.fault("http.status", status=503, max_hits=1):
        request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            answer = json.load(response)
    assert "Paris" in answer["choices"][0]["message"]["content"], answer
