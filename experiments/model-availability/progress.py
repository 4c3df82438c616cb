"""Watches a download's notices of progress over a WebSocket: `python progress.py URL`, one line per notice.

Exit code 0: the last notice said that it is done. 1: it did not. A connection that ends earlier is opened again, up to
TRIES (4) times. CHECK=off takes the end of the connection for the end of the download. Needs aiohttp.
"""

import asyncio
import json
import os
import sys

import aiohttp

CHECK = os.environ.get("CHECK") != "off"
TRIES = int(os.environ.get("TRIES", "4"))
SILENCE_S = float(os.environ.get("STALL_S", "10"))


async def watch(session, url):
    """Whether it was said that the download is done."""
    done = False
    async with session.ws_connect(url) as socket:
        while (message := await socket.receive(SILENCE_S)).type is aiohttp.WSMsgType.TEXT:
            notice = json.loads(message.data)
            print(message.data, flush=True)  # noqa: T201 - the output is the interface
            done = notice["done"]
    return done


async def main(url):
    """The exit code, or what to say before it is 1."""
    async with aiohttp.ClientSession() as session:
        for _ in range(TRIES):
            try:
                done = await watch(session, url)
            except (aiohttp.ClientError, TimeoutError):
                done = False
            if done or not CHECK:
                return 0
    return "it never said that it is done"


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
