"""E17: notices of progress over a WebSocket: they pass as they are, come late, get lost, or end after three of ten.

    pytest experiments/model-availability/test_progress.py
    CHECK=off pytest ...                                        fails: a closed connection is taken for a done download

WATCHER is the command of your client with {url} in it: it prints a line per notice, and ends with 0 only when the last
one said that the download is done. PROGRESS_URL is your own server's (http://...); default: one of the lab.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

COMMAND = f"{shlex.quote(sys.executable)} {shlex.quote(str(Path(__file__).with_name('progress.py')))} {{url}}"
WATCHER = os.environ.get("WATCHER") or COMMAND
REAL = urlsplit(os.environ.get("PROGRESS_URL", ""))
PATH = REAL.path if REAL.netloc else "/files/1000000/progress"


def server(chaos):
    """It stands behind chaosproxy."""
    return chaos.wrap(f"{REAL.scheme}://{REAL.netloc}", "hub") if REAL.netloc else chaos.backend("hub")


def watch(hub):
    """Exit code, the notices, and how long it took in seconds."""
    began = monotonic()
    words = shlex.split(WATCHER.format(url=hub.url + PATH))
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=120, check=False)
    return done.returncode, done.stdout.splitlines(), monotonic() - began


def test_notices_pass_as_they_are(chaos):
    """All of them, in their order, to the last."""
    code, notices, _ = watch(server(chaos))
    assert code == 0
    if not REAL.netloc:
        assert [json.loads(notice)["bytes"] for notice in notices] == list(range(100_000, 1_000_001, 100_000))


def test_a_connection_that_is_closed_is_not_the_end(chaos):
    """After three notices: the client opens another, and sees the download to its end."""
    hub = server(chaos)
    _, all_of_them, _ = watch(hub)
    with hub.fault("ws.close", where="message:3", code=1011, max_hits=1):
        code, notices, _ = watch(hub)
    assert code == 0
    assert notices == all_of_them[:3] + all_of_them


def test_what_never_ends_is_never_done(chaos):
    """Every connection is closed after three notices: no success is claimed."""
    hub = server(chaos)
    with hub.fault("ws.close", where="message:3", code=1001):
        code, _, _ = watch(hub)
    assert code != 0


def test_late_notices(chaos):
    """They come half a second later, all of them and in their order."""
    hub = server(chaos)
    _, in_time, _ = watch(hub)
    with hub.fault("ws.delay", mean=0.5):
        code, late, took_s = watch(hub)
    assert (code, late) == (0, in_time)
    assert took_s >= 0.5


def test_lost_notices(chaos):
    """Every third is lost: the download is done all the same, and the rest come in their order."""
    hub = server(chaos)
    _, all_of_them, _ = watch(hub)
    with hub.fault("ws.drop", each=3):
        code, notices, _ = watch(hub)
    assert code == 0
    assert notices == [notice for number, notice in enumerate(all_of_them, 1) if number % 3]
