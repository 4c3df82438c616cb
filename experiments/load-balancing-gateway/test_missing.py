"""B15: what is missing is named, with what to do about it; the exit code is not 0, and nothing is left running.

    pytest experiments/load-balancing-gateway/test_missing.py

COMMAND starts what is tested (default: the lab's gateway with a cache, by a Python without the Redis client), WORDS is
what it has to say.
"""

import os
import shlex
import subprocess
import sys

BLOCKED = "import sys; sys.modules['redis'] = None; sys.modules['redis.asyncio'] = None; "
GATEWAY = "'lab', 'gateway', '--upstream', 'a=http://127.0.0.1:9', '--cache', 'redis://127.0.0.1:9', '--listen', ':0'"
DEFAULT = f"{BLOCKED}sys.argv = ['chaosproxy', {GATEWAY}]; from chaosproxy.cli import main; main()"
COMMAND = shlex.split(os.environ.get("COMMAND") or f"{shlex.quote(sys.executable)} -c {shlex.quote(DEFAULT)}")
WORDS = os.environ.get("WORDS", "pip install 'chaosproxy[redis]'")


def test_a_missing_dependency_is_named():
    """In a sentence on standard error, without a traceback."""
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert WORDS in done.stderr
    assert "Traceback" not in done.stderr
