"""``@chaos_given`` in tests of a user's own."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.real

_NO_LOOPTIME = ("-p", "no:looptime_plugin", "-p", "no:looptime_timeproxies")
_TESTS = """
import pytest
from chaosproxy.testing import chaos_given

@pytest.fixture
def prefix():
    return ""

async def _body(asked):
    import asyncio
    host, port = asked.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'{"model": "m", "messages": [{"role": "user", "content": "%s"}]}' % asked.prompt.encode()
    head = b"POST /v1/chat/completions HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n"
    writer.write(head + b"content-length: %d\\r\\n\\r\\n" % len(body) + body)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()

@chaos_given(max_faults=1, examples=40)
async def test_careful(asked, prefix):
    import json
    head, _, body = (await _body(asked)).partition(b"\\r\\n\\r\\n")
    answer = json.loads(body)
    if b" 200 " not in head.splitlines()[0] or answer["choices"][0]["finish_reason"] != "stop":
        raise ValueError("no answer")
    return prefix + answer["choices"][0]["message"]["content"]

@chaos_given(max_faults=1, examples=200)
async def test_careless(asked):
    import json
    head, _, body = (await _body(asked)).partition(b"\\r\\n\\r\\n")
    if b" 200 " not in head.splitlines()[0]:
        return ""
    return json.loads(body)["choices"][0]["message"]["content"]

@chaos_given(examples=5)
async def test_broken(asked):
    raise ValueError("always")
"""


def test_it_finds_what_breaks_a_test_and_says_how_to_try_it_again(pytester: pytest.Pytester) -> None:
    """A careful client passes, with a fixture beside; a careless one fails with its smallest plan as a file."""
    pytester.makepyfile(_TESTS)

    ended = pytester.runpytest_inprocess(
        "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:asyncio", *_NO_LOOPTIME
    )

    ended.assert_outcomes(passed=1, failed=2)
    ended.stdout.fnmatch_lines(["*PromiseBroken: the call returned no text*"])
    ended.stdout.fnmatch_lines(["*do: {type: http.status}}*"])
    ended.stdout.fnmatch_lines(["*test_broken fails without any fault: the call raised builtins.ValueError: always*"])
