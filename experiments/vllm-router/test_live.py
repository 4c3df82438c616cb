"""C2, C13: a mocked answer in under 20 ms and a live one in 2 to 10 s; n live requests at once.

    pytest experiments/vllm-router/test_live.py
    VLLM_BACKEND_URL=... VLLM_MODEL_NAME=... pytest --chaos-live experiments/vllm-router/test_live.py

GATEWAY is the command of your router (load-balancing-gateway/gateway.py). PARALLEL, MEAN_WITHIN_S, LIVE_LEAST_S and
LIVE_MOST_S are your own numbers. A live session sends no more requests than CHAOSPROXY_LIVE_MAX_REQUESTS (50).
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, median
from time import monotonic

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "load-balancing-gateway")]
from canary import SaidSo, ask
from gateway import gateway

PARALLEL = int(os.environ.get("PARALLEL", "5"))
MEAN_WITHIN_S = float(os.environ.get("MEAN_WITHIN_S", "30"))
LIVE_LEAST_S, LIVE_MOST_S = float(os.environ.get("LIVE_LEAST_S", "2")), float(os.environ.get("LIVE_MOST_S", "10"))
MOCK_MOST_S = 0.02
MOCK_TTFT = os.environ.get("MOCK_TTFT", "0s")


def timed(url, chaos):
    """Seconds that an answer took, and what was wrong with it."""
    began = monotonic()
    try:
        answer = ask(url, chaos)
    except SaidSo as error:
        return monotonic() - began, str(error)
    return monotonic() - began, None if answer.text else "an empty answer"  # whether it is right, the canary asks


@pytest.mark.chaos_live
def test_tier(chaos):
    """C2: the fastest of twenty mocked answers (others tell about this machine), the middle one of three live ones."""
    backend = chaos.backend(ttft=MOCK_TTFT)
    took_s, problems = zip(*(timed(backend.url, chaos) for _ in range(20 if chaos.live is None else 3)), strict=True)
    assert not any(problems), problems
    if chaos.live is None:
        assert min(took_s) < MOCK_MOST_S, took_s
    else:
        assert LIVE_LEAST_S <= median(took_s) <= LIVE_MOST_S, took_s


@pytest.mark.chaos_live
def test_at_once(chaos, record_property):
    """C13: PARALLEL requests at the same time: how many failed, and how long they took on average."""
    backend = chaos.backend()
    with gateway(backend.url, backend.url) as url, ThreadPoolExecutor(PARALLEL) as pool:
        results = list(pool.map(lambda _: timed(url, chaos), range(PARALLEL)))
    mean_s, failures = mean(took_s for took_s, _ in results), [problem for _, problem in results if problem]
    told = f"{PARALLEL} requests at once, mean {mean_s:.3f} s, {len(failures)} failures"
    record_property("at_once", told)
    assert not failures, "\n".join([told, *failures])
    assert mean_s <= MEAN_WITHIN_S, told
