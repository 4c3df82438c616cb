"""A TCP connection that can be cut and mended: a relay in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

BLOCK_BYTES = 65536


@dataclass
class Cable:
    """From ``port`` to a port behind it."""

    to: int
    loop: asyncio.AbstractEventLoop
    port: int = 0
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    hangs: bool = False
    ends: set[asyncio.StreamWriter] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self, *, hangs: bool) -> None:
        """Nothing passes: connections hang without a word, or are reset."""
        self._do(hangs=hangs, whole=False)

    def mend(self) -> None:
        """All passes again; what hung is reset."""
        self._do(hangs=False, whole=True)

    def _do(self, *, hangs: bool, whole: bool) -> None:
        done = threading.Event()

        def act() -> None:
            self.hangs = hangs
            self.whole.set() if whole else self.whole.clear()
            if not hangs:
                for end in list(self.ends):
                    end.transport.abort()
            done.set()

        self.loop.call_soon_threadsafe(act)
        assert done.wait(10)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.ends.add(writer)
        try:
            if not self.whole.is_set() and not self.hangs:
                writer.transport.abort()
                return
            await self.whole.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self.to)
            self.ends.add(back)
            with suppress(OSError):
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            self.ends.discard(back)
            back.close()
        finally:
            self.tasks.discard(task)
            self.ends.discard(writer)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(BLOCK_BYTES):
            await self.whole.wait()
            writer.write(data)
            await writer.drain()
        writer.close()


@contextmanager
def cable(to: int) -> Iterator[Cable]:
    """A whole one to a port of this machine."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    between = Cable(to, loop)
    between.whole.set()
    over = asyncio.Event()

    async def run() -> None:
        async with await asyncio.start_server(between.accept, "127.0.0.1", 0) as server:
            between.port = server.sockets[0].getsockname()[1]
            ready.set()
            await over.wait()
            server.close()
            for task in list(between.tasks):
                task.cancel()
            await asyncio.gather(*between.tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert ready.wait(10)
        yield between
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()
