"""B2: chaosproxy as a part of your own tests: free ports, one line when it is ready, twenty side by side, a clean stop.

    pytest experiments/load-balancing-gateway/test_starts.py

COMMAND starts it (default: chaosproxy itself), STOP_WITHIN_S (2) is how long a stop may take.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager
from time import monotonic

DEFAULT = f"{shlex.quote(sys.executable)} -m chaosproxy serve --upstream http://127.0.0.1:9 --listen 127.0.0.1:0 --json"
COMMAND = shlex.split(os.environ.get("COMMAND") or DEFAULT)
STOP_WITHIN_S = float(os.environ.get("STOP_WITHIN_S", "2"))
STARTS = 20


@contextmanager
def started():
    """The process; what a test leaves behind is killed."""
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_twenty_start_side_by_side_and_stop_cleanly():
    """Each says in one line of JSON where it listens, no two at one port; SIGTERM ends all of them, with 0."""
    with ExitStack() as stack:
        processes = [stack.enter_context(started()) for _ in range(STARTS)]
        urls = [json.loads(process.stdout.readline())["listeners"]["main"]["url"] for process in processes]
        assert len(set(urls)) == STARTS
        for url in urls:
            assert _answers(url), f"{url} is ready and does not answer"
        began = monotonic()
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(timeout=STOP_WITHIN_S * STARTS) for process in processes]
        assert monotonic() - began <= STOP_WITHIN_S
        assert codes == [0] * STARTS


def _answers(url):
    try:
        urllib.request.urlopen(url, timeout=30)  # noqa: S310 - http, as it was said
    except urllib.error.HTTPError:
        return True  # there is no upstream behind it
    except OSError:
        return False
    return True
