"""Traffic that is not a load of ours: clients in a thread of the test, which ask whoever listens at a port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

import aiohttp

EACH_S = 0.08
GIVE_UP_S = 30.0
"""After so long a client leaves: no healthy answer takes as long, on a slow machine either."""


@contextmanager
def passers_by(port: int, *, named: bool = True, give_up_s: float = GIVE_UP_S) -> Iterator[None]:
    """Calls at a steady pace until the end; ``named``: each has a name of its own in ``x-chaosproxy-call``."""
    over = threading.Event()
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    thread = threading.Thread(target=lambda: asyncio.run(_ask_on(url, over, give_up_s, named=named)))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


async def _ask_on(url: str, over: threading.Event, give_up_s: float, *, named: bool) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=give_up_s)) as session:
        asking: set[asyncio.Task[None]] = set()
        for number in count():
            if over.is_set():
                break
            headers = {"x-chaosproxy-call": f"passer-{number}"} if named else {}
            asking.add(task := asyncio.create_task(_ask(session, url, number, headers)))
            task.add_done_callback(asking.discard)
            await asyncio.sleep(EACH_S)
        await asyncio.gather(*asking, return_exceptions=True)


async def _ask(session: aiohttp.ClientSession, url: str, number: int, headers: dict[str, str]) -> None:
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": f"question {number}"}]}
    with suppress(aiohttp.ClientError, TimeoutError):  # nobody may listen yet, or any more
        async with session.post(url, json=body, headers=headers) as response:
            await response.read()
