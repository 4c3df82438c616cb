"""B3, B4: the fixture `chaos` in plain and async tests, one proxy per test, under xdist too.

    pytest experiments/load-balancing-gateway/test_gateway.py
    pytest -n 4 experiments/load-balancing-gateway/test_gateway.py

GATEWAY is the command of your gateway, with {a}, {b} and {port} in it; see gateway.py beside this file.
"""

import asyncio
import json
import os
import sys
import urllib.request
from pathlib import Path

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from gateway import gateway

QUESTION = "What does a gateway do all day?"


def ask(url):
    """The text of one plain answer."""
    body = {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}
    request = urllib.request.Request(  # noqa: S310 - http
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return json.load(response)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("fault", ["http.status status=503", "conn.reset", "stream.truncate where=byte:20"])
def test_another_upstream_answers(chaos, fault):
    """Whatever the first one does; the right text comes from the second."""
    name, *settings = fault.split()
    a, b = chaos.backend("a"), chaos.backend("b")
    with gateway(a.url, b.url) as url, a.fault(name, **dict(each.split("=") for each in settings)):
        assert ask(url) == b.expected_text(QUESTION)
    assert b.served == 1


def test_health_and_journal_agree(chaos):
    """Of five calls without a fault the first upstream has served five, and nobody asked the other."""
    a, b = chaos.backend("a"), chaos.backend("b")
    with gateway(a.url, b.url) as url:
        answers = {ask(url) for _ in range(5)}
        told = stats(url)
    assert answers == {a.expected_text(QUESTION)}
    assert a.served + b.served == 5
    if told is not None:
        assert told["upstreams"]["a"]["requests"] == a.served
        assert told["upstreams"]["b"]["requests"] == b.served


def stats(url):
    """What the lab's gateway says of its upstreams; other gateways count in other words."""
    if "GATEWAY" in os.environ:
        return None
    with urllib.request.urlopen(f"{url}/stats", timeout=60) as response:  # noqa: S310
        return json.load(response)


def test_an_async_client(chaos):
    """Ten calls at once in one loop, while every second answer of the first upstream fails."""
    a, b = chaos.backend("a"), chaos.backend("b")

    async def ask_all(url):
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return await asyncio.gather(*(ask_one(session, url) for _ in range(10)))

    async def ask_one(session, url):
        body = {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}
        async with session.post(f"{url}/v1/chat/completions", json=body) as response:
            return (await response.json())["choices"][0]["message"]["content"]

    with gateway(a.url, b.url) as url, a.fault("http.status", status=500, share=0.5):
        answers = asyncio.run(ask_all(url))
    assert set(answers) == {a.expected_text(QUESTION)}
