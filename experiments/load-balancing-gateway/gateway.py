"""Starts the gateway under test for these drills.

GATEWAY is its command, with {a} and {b} for the URLs of its upstreams and {port} for its own port. Default: the lab's.
"""

import os
import shlex
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from time import monotonic, sleep

LAB = "-m chaosproxy lab gateway --upstream a={a} --upstream b={b} --listen 127.0.0.1:{port}"
COMMAND = os.environ.get("GATEWAY") or f"{shlex.quote(sys.executable)} {LAB}"
READY_WITHIN_S = float(os.environ.get("READY_WITHIN_S", "60"))


@contextmanager
def gateway(a, b):
    """Its URL, while it runs in front of two upstreams."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = shlex.split(COMMAND.format(a=a, b=b, port=port))
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process, port):
    due = monotonic() + READY_WITHIN_S
    while True:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, f"the gateway ended with {process.returncode}"
        assert monotonic() < due, f"the gateway did not listen within {READY_WITHIN_S:g} s"
        sleep(0.05)
