"""D2: our own health (ready, uptime) apart from the upstream's; when the upstream is down, ours says degraded.

    pytest experiments/openai-server/test_health.py

SERVER is the command of a server with an upstream, HEALTH the URL of its own health: {upstream}, {port} and {control}
(a second port) stand for what the test chooses. Default: chaosproxy serve, which says it on its control port.
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

OURS = "-m chaosproxy serve --upstream {upstream} --listen 127.0.0.1:{port} --control 127.0.0.1:{control} --json"
SERVER = os.environ.get("SERVER") or f"{shlex.quote(sys.executable)} {OURS}"
HEALTH = os.environ.get("HEALTH") or "http://127.0.0.1:{control}/-/health"
WITHIN_S = float(os.environ.get("WITHIN_S", "20"))


def test_health(chaos):
    """It answers 200 and says ok, then degraded, then ok; its uptime grows all the time."""
    upstream = chaos.backend()
    ports = {"port": free_port(), "control": free_port()}
    words = [word.format(upstream=upstream.url, **ports) for word in shlex.split(SERVER)]
    url = HEALTH.format(**ports)
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        before = until(url, "ok")
        with upstream.fault("partition", mode="refuse", min_hits=0):
            during = until(url, "degraded")
            assert during.get("ready", True), during
        after = until(url, "ok")
        assert before.get("uptime_s", 0) <= during.get("uptime_s", 0) <= after.get("uptime_s", 0)
    finally:
        process.terminate()
        process.wait(30)


def until(url, wanted):
    """The first answer with this status; no answer is a status, too."""
    due = monotonic() + WITHIN_S
    while (said := ask(url)).get("status") != wanted:
        assert monotonic() < due, f"{url} said {said}, and not {wanted}, for {WITHIN_S:g} s"
        sleep(0.2)
    return said


def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            return json.load(answer)
    except (OSError, ValueError) as error:
        return {"status": str(error)}


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
