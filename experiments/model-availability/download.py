"""Downloads a file, resumes what broke off, and believes nothing but its checksum.

    python download.py URL FILE

Exit code 0: FILE is there, whole and right. 1: it is not there, and the last line says why. Until then the bytes are in
FILE.part, where the next start goes on. The checksum is the first word at URL.sha256. Needs aiohttp.

CHECK=off leaves all checks out, to see what they are worth; TRIES (4); STALL_S (10): longest silence, in seconds.
"""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

import aiohttp

CHECK = os.environ.get("CHECK") != "off"
TRIES = int(os.environ.get("TRIES", "4"))
STALL_S = float(os.environ.get("STALL_S", "10"))
WAIT_S = 0.1
PASSING = {408, 425, 429, 500, 502, 503, 504, 507}
"""Statuses that may be gone in a moment. Any other error is an answer: asking again gives the same."""


class TryAgain(Exception):
    """It failed in a way that may pass."""


class GiveUp(Exception):
    """It failed, and will fail again."""


async def download(url, file):
    """Raises GiveUp when the file cannot be had."""
    part = file.with_name(file.name + ".part")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=STALL_S, sock_read=STALL_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for attempt in range(TRIES):
            await asyncio.sleep(WAIT_S * attempt)
            try:
                await _fetch(session, url, part)
                if CHECK:
                    await _compare(session, url, part)
            except (TryAgain, aiohttp.ClientError, TimeoutError) as error:
                problem = str(error) or "no answer in time"
            else:
                part.replace(file)
                return
    raise GiveUp(f"{problem}, after {TRIES} tries")


async def _fetch(session, url, part):
    have = part.stat().st_size if part.exists() else 0
    asked = {"range": f"bytes={have}-"} if have else {}
    # `identity`: a compressed body has other places than the file.
    async with session.get(url, headers={"accept-encoding": "identity", **asked}) as response:
        if CHECK:
            _read_status(response, part, have)
        with part.open("ab" if have and (response.status == 206 or not CHECK) else "wb") as out:
            try:
                async for block in response.content.iter_chunked(65536):
                    out.write(block)
            except aiohttp.ClientPayloadError:
                if CHECK:
                    raise


def _read_status(response, part, have):
    """A part that cannot be continued is dropped: the next try begins anew."""
    if response.status == 416:
        part.unlink(missing_ok=True)
        raise TryAgain("416: the range does not exist")
    if response.status in PASSING:
        raise TryAgain(f"{response.status} {response.reason}")
    if response.status not in (200, 206):
        raise GiveUp(f"{response.status} {response.reason}")
    if response.status == 206 and not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
        part.unlink(missing_ok=True)
        raise TryAgain("206 with another range than the one that was asked for")


async def _compare(session, url, part):
    async with session.get(f"{url}.sha256") as response:
        if response.status != 200:
            raise TryAgain(f"no checksum: {response.status}")
        wanted = (await response.text()).split()[0]
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        part.unlink()
        raise TryAgain("the checksum is wrong")


if __name__ == "__main__":
    try:
        asyncio.run(download(sys.argv[1], Path(sys.argv[2])))
    except GiveUp as error:
        sys.exit(f"download failed: {error}")
