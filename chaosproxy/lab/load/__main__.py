"""The load as a process: ``python -m chaosproxy.lab.load``.

    stdout   the ready line, then records, one per line, ``opened`` first
    stdin    one line with a LoadJob, then perhaps a line ``stop`` (no new calls); EOF ends it at once

It exits with 0 when all calls have ended, or at EOF, and with 5 when somebody else ends it or its last records found no
reader: nobody must take a load that sent, or told, less than it should for a whole one.
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
from chaosproxy.errors import PartFailed, UserError
from chaosproxy.journal.records import VERSION, AnyRecord, Opened, to_line
from chaosproxy.lab import part
from chaosproxy.lab.load.job import LoadJob
from chaosproxy.lab.load.sender import run_load

FLUSH_S = 10.0
"""How long the last records may take on their way out."""


async def main() -> None:
    """Serve one job. Raises UserError when it is none, PartFailed when it could not be served to its end."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with part.signals_end(told):
        part.announce()
        stdout = _Stdout()
        await stdout.open()
        work = asyncio.create_task(_work(await part.open_stdin(), stdout.write))
        told.add_done_callback(lambda _: work.cancel())
        await asyncio.wait([work])
        await stdout.close()
        if told.done():
            raise PartFailed(f"load: ended by {told.result()}")
        work.result()


async def _work(stdin: asyncio.StreamReader, record: Callable[[AnyRecord], None]) -> None:
    line = await stdin.readline()
    if not line:
        return
    job = _read_job(line)
    record(_opened())
    stopped = asyncio.Event()
    load = asyncio.create_task(run_load(job, record, stopped=stopped))
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
        version=VERSION,
        process="load",
        host=socket.gethostname(),
        pid=os.getpid(),
        mono=time.monotonic(),
        wall=time.time(),  # noqa: TID251 - the opening record gives the wall time of the monotonic clock
        chaosproxy=__version__,
    )


class _Stdout(asyncio.BaseProtocol):
    """Our stdout; if it is a pipe, writing never waits for its reader, who might stall the senders."""

    def __init__(self) -> None:
        self._pipe: asyncio.WriteTransport | None = None
        self._closed = asyncio.Event()

    async def open(self) -> None:
        if stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
            own = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
            self._pipe, _ = await asyncio.get_running_loop().connect_write_pipe(lambda: self, own)

    def write(self, record: AnyRecord) -> None:
        if self._pipe is None:
            sys.stdout.buffer.write(to_line(record))
            sys.stdout.buffer.flush()
        else:
            self._pipe.write(to_line(record))

    async def close(self) -> None:
        """Let the reader have what was written. Raises PartFailed when it takes too long."""
        if self._pipe is None:
            return
        self._pipe.close()
        try:
            await asyncio.wait_for(self._closed.wait(), FLUSH_S)
        except TimeoutError:
            raise PartFailed(f"load: nobody has read its last records within {FLUSH_S:g} s") from None

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()


if __name__ == "__main__":
    sys.exit(part.run_process(main()))
