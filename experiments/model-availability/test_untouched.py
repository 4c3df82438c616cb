"""E14: answers that no fault is meant for stay as they are, byte by byte, while others beside them are broken.

    pytest experiments/model-availability/test_untouched.py
    GROUP='*' pytest ...                     fails: this is what a match looks like that covers more than was meant

GROUP is the value of the header field x-chaos-group that the faults are for; the requests under test carry `a`. ROUNDS
(10): how often each of them is made. FILE_URL is a file of yours, see downloads.py beside this file.
"""

import asyncio
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).parent))
from downloads import Source

GROUP = os.environ.get("GROUP", "b")
ROUNDS = int(os.environ.get("ROUNDS", "10"))
FAULTS = [
    ("body.corrupt", {"offset": 10, "length": 5}),
    ("stream.reset", {"where": "percent:50"}),
    ("http.status", {"status": 503}),
    ("time.first_byte", {"mean": 0.05}),
    ("time.bandwidth", {"bytes_per_second": 2_000_000, "chunk_bytes": 4096}),
    ("stream.truncate", {"where": "token:3"}),
    ("sse.malformed", {"where": "token:5"}),
    ("llm.usage", {"mode": "zero"}),
]


def requests(source):
    """Method, path, header fields and JSON body of each kind of request."""
    yield "GET", source.path, {}, None
    yield "GET", source.path, {"range": "bytes=1000-90000"}, None
    if source.server.lab is None:
        return
    for stream in (True, False):
        body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Are you still the same?"}]}
        yield "POST", "/v1/chat/completions", {}, body


async def ask(session, source, request, group):
    """Status and body, or the name of what broke."""
    method, path, headers, body = request
    headers = {**headers, "x-chaos-group": group}
    try:
        async with session.request(method, source.server.url + path, headers=headers, json=body) as response:
            return response.status, await response.read()
    except aiohttp.ClientError as error:
        return type(error).__name__, b""


async def beside_chaos(source):
    """The answers to both groups, all of them asked for at once."""
    kinds = list(requests(source)) * ROUNDS
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        asked = [ask(session, source, each, group) for each in kinds for group in ("a", "b")]
        answers = await asyncio.gather(*asked)
    return answers[::2], answers[1::2]


async def in_peace(source):
    """The same answers, without a fault and one after another."""
    async with aiohttp.ClientSession() as session:
        return [await ask(session, source, each, "a") for each in requests(source)] * ROUNDS


def test_bodies_are_identical(chaos):
    """Whole files, parts, streams and plain answers."""
    source = Source(chaos)
    right = asyncio.run(in_peace(source))
    with ExitStack() as broken_links:
        for name, settings in FAULTS:
            match = {"header": {"x-chaos-group": GROUP}}
            fault = source.server.fault(name, share=0.5, match=match, min_hits=0, **settings)
            broken_links.enter_context(fault)
        untouched, broken = asyncio.run(beside_chaos(source))
    changed = sum(got != meant for got, meant in zip(broken, right, strict=True))
    assert changed >= ROUNDS, f"only {changed} of {len(right)} answers were broken, so this shows nothing"
    wrong = [f"{got[0]}, {len(got[1])} bytes" for got, meant in zip(untouched, right, strict=True) if got != meant]
    assert not wrong, f"{len(wrong)} of {len(right)} answers were changed: {'; '.join(wrong[:5])}"
