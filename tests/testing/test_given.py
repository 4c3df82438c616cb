"""``@chaos_given`` in tests of a user's own."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from hypothesis.database import InMemoryExampleDatabase

from chaosproxy.search.observation import Asked
from chaosproxy.testing import chaos_given, given

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> InMemoryExampleDatabase:
    """Not the one of this project."""
    database = InMemoryExampleDatabase()
    monkeypatch.setattr(given, "_database", lambda: database)
    return database


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
    ended.stdout.fnmatch_lines(["*after 1 examples*", "*do: {type: http.status}}*"])
    ended.stdout.fnmatch_lines(["*test_broken fails without any fault: the call raised builtins.ValueError: always*"])


async def _answer(asked: Asked) -> tuple[int, dict[str, object]]:
    """Status and body of one answer."""
    where = urlsplit(asked.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    body = json.dumps({"model": asked.model, "messages": [{"role": "user", "content": asked.prompt}]}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    try:
        async with asyncio.timeout(10):
            head_of_answer, _, answer = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return int(head_of_answer.split()[1]), json.loads(answer)


def test_what_was_found_is_tried_first_until_it_is_mended(database: InMemoryExampleDatabase) -> None:
    """One run shows a kept case again; the mended client is searched anew, and nothing is kept any more."""
    tried, mended = [0], False

    @chaos_given(max_faults=1, examples=30, seed=1)
    async def target(asked: Asked) -> str:
        tried[0] += 1
        status, answer = await _answer(asked)
        if mended and (status != 200 or "choices" not in answer):
            raise ValueError(status)
        return str(answer["choices"][0]["message"]["content"] if "choices" in answer else "")  # type: ignore[index]

    with pytest.raises(given.PromiseBroken, match=r"after \d+ examples") as first:
        target()
    tried[0] = 0
    with pytest.raises(given.PromiseBroken, match="as it did before") as second:
        target()
    assert str(first.value).partition("experiment: v1")[2] == str(second.value).partition("experiment: v1")[2] != ""
    assert tried == [1]

    mended = True
    target()

    assert tried[0] > 30
    assert list(database.fetch(f"chaosproxy:{__name__}:{target.__qualname__}".encode())) == []


def test_a_kept_case_of_another_world_is_forgotten(database: InMemoryExampleDatabase) -> None:
    """Of other listeners, or of a file that cannot be read any more."""

    @chaos_given(max_faults=1, examples=1, listeners=("a", "b"))
    async def target(asked: Asked) -> str:
        status, answer = await _answer(asked)
        if status != 200:
            raise ValueError(status)
        return str(answer["choices"][0]["message"]["content"])  # type: ignore[index]

    key = f"chaosproxy:{__name__}:{target.__qualname__}".encode()
    database.save(key, b"faults: none that we know")
    target()

    assert list(database.fetch(key)) == []
