"""D6: the arithmetic of the error budget: all of it, half of it, and nothing left, which is never less than nothing.

    pytest experiments/openai-server/test_error_budget.py

SERVER is the command of a server with an upstream, SLO the URL of its page: {upstream} and {port} stand for what the
test chooses. Default: chaosproxy serve --metrics-compat. TARGET is what you promised (default: what the page says).
"""

import json
import os
import shlex
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from time import monotonic, sleep

OURS = "-m chaosproxy serve --upstream {upstream} --listen 127.0.0.1:{port} --metrics-compat --json"
SERVER = os.environ.get("SERVER") or f"{shlex.quote(sys.executable)} {OURS}"
SLO = os.environ.get("SLO") or "http://127.0.0.1:{port}/metrics/slo"
TARGET = os.environ.get("TARGET")
WITHIN_S = float(os.environ.get("WITHIN_S", "20"))
CALLS = 100
APART_MAX = 0.02


def test_error_budget(chaos):
    """Of a hundred calls none fails, then one of a hundred more, then ten in a row."""
    upstream = chaos.backend()
    port = free_port()
    process = subprocess.Popen(
        [word.format(upstream=upstream.url, port=port) for word in shlex.split(SERVER)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url, page = f"http://127.0.0.1:{port}", SLO.format(port=port)
        until_ready(page)
        budget_is_right(page, failed=failures(url, CALLS), calls=CALLS)
        with upstream.fault("http.status", status=500, max_hits=1):
            budget_is_right(page, failed=failures(url, CALLS), calls=2 * CALLS)
        with upstream.fault("http.status", status=500):
            budget_is_right(page, failed=1 + failures(url, 10), calls=2 * CALLS + 10)
    finally:
        process.terminate()
        process.wait(30)


def budget_is_right(page, failed, calls):
    said = read(page)
    target = float(TARGET or said["slo_target"])
    left = max(0.0, 1 - failed / calls / (1 - target))
    words = f"{failed} of {calls} failed, the target is {target:.4g}: {left:.3f} of the budget is left, but {said}"
    assert abs(said["success_rate"] - (1 - failed / calls)) <= APART_MAX, words
    assert abs(said["error_budget_remaining"] - left) <= APART_MAX, words


def failures(url, calls):
    return sum(not succeeds(url, number) for number in range(calls))


def succeeds(url, number):
    body = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
    request = urllib.request.Request(  # noqa: S310 - http
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status == 200
    except urllib.error.HTTPError:
        return False


def until_ready(page):
    due = monotonic() + WITHIN_S
    while True:
        try:
            return read(page)
        except OSError:
            assert monotonic() < due, f"{page} was not there within {WITHIN_S:g} s"
            sleep(0.2)


def read(page):
    with urllib.request.urlopen(page, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
