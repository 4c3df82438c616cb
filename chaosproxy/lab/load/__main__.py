"""The load as a process: ``python -m chaosproxy.lab.load``.

    stdout   the ready line, then records, one per line, ``opened`` first
    stdin    one line with a LoadJob, then perhaps a line ``stop`` (no new calls); EOF ends it at once

It exits with 0 when all calls have ended.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import time
from collections.abc import Callable

from pydantic import ValidationError

from chaosproxy import __version__
from chaosproxy.errors import UserError
from chaosproxy.journal.records import Opened, to_line
from chaosproxy.lab import part
from chaosproxy.lab.load.job import LoadJob
from chaosproxy.lab.load.sender import run_load


async def main() -> None:
    """Serve one job. Raises UserError when it is none."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with part.signals_end(told):
        stdin = await part.open_stdin()
        write = await _open_stdout()
        part.announce()
        work = asyncio.create_task(_work(stdin, write))
        told.add_done_callback(lambda _: work.cancel())
        await asyncio.wait([work])
        if not work.cancelled():
            work.result()


async def _work(stdin: asyncio.StreamReader, write: Callable[[str], None]) -> None:
    line = await stdin.readline()
    if not line:
        return
    job = _read_job(line)
    write(to_line(_opened()))
    stopped = asyncio.Event()
    load = asyncio.create_task(run_load(job, lambda record: write(to_line(record)), stopped=stopped))
    orders = asyncio.create_task(_obey(stdin, stopped))
    try:
        await asyncio.wait([load, orders], return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = load.done()
        orders.cancel()
        load.cancel()
        await asyncio.wait([load])
    if ended:
        load.result()


async def _obey(stdin: asyncio.StreamReader, stopped: asyncio.Event) -> None:
    """Read orders until EOF."""
    while line := await stdin.readline():
        if line.strip() in (b"stop", b"drain"):
            stopped.set()


def _read_job(line: bytes) -> LoadJob:
    try:
        return LoadJob.model_validate_json(line)
    except ValidationError as error:
        raise UserError(f"load: the job on stdin is wrong: {error}") from None


def _opened() -> Opened:
    return Opened(
        process="load",
        host=socket.gethostname(),
        pid=os.getpid(),
        mono=time.monotonic(),
        wall=time.time(),  # noqa: TID251 - the opening record gives the wall time of the monotonic clock
        chaosproxy=__version__,
    )


async def _open_stdout() -> Callable[[str], None]:
    """Writes text to our stdout; into a pipe without ever waiting for its reader, who might stall the senders."""
    if not stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
        return lambda text: print(text, end="", flush=True)  # noqa: T201 - records are the output
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(os.dup(sys.stdout.fileno()), "wb"))
    return lambda text: pipe.write(text.encode())


if __name__ == "__main__":
    sys.exit(part.run_process(main()))
