"""One question at a time to an upstream, without a proxy around it: what its receiver is told, in order."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from chaosproxy.errors import UpstreamFailed
from chaosproxy.proxy.certificates import Trust
from chaosproxy.proxy.edges import AnswerHead, Asking, BodySink, ChunkTaker, Pipe, Question
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.target import Target
from chaosproxy.proxy.upstream.http import HttpUpstream

PATIENCE_S = 10.0
"""How long what must happen may take on a slow machine."""
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def on_each_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on both event loops: they differ in when they call back, and in what they forgive."""

    def run(loop: str, **arguments: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(asyncio.wait_for(test(**arguments), 3 * PATIENCE_S))

    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    loop = inspect.Parameter("loop", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([loop, *inspect.signature(test).parameters.values()])  # type: ignore[attr-defined]
    run.pytestmark = list(getattr(test, "pytestmark", []))  # type: ignore[attr-defined]
    each: Callable[..., None] = pytest.mark.parametrize("loop", LOOPS)(run)
    return each


class Recorder:
    """A receiver that remembers. ``told`` is called with the name of each callback, before it is remembered."""

    chunks: ChunkTaker | None = None

    def __init__(self, told: Callable[[str], None] = lambda _: None) -> None:
        self.head: AnswerHead | None = None
        self.pieces: list[bytes] = []
        self.error: UpstreamFailed | None = None
        self.pipe: Pipe | None = None
        self.calls: list[str] = []
        self._told = told
        self._grown = asyncio.Event()

    def upstream_head(self, head: AnswerHead) -> None:
        self.head = head
        self._note("head")

    def upstream_data(self, data: bytes) -> None:
        self.pieces.append(data)
        self._note("data")

    def upstream_end(self) -> None:
        self._note("end")

    def upstream_failed(self, error: UpstreamFailed) -> None:
        self.error = error
        self._note("failed")

    def upstream_upgraded(self, head: AnswerHead, pipe: Pipe) -> None:
        self.head, self.pipe = head, pipe
        self._note("upgraded")

    async def until(self, call: str, count: int = 1) -> None:
        """Wait for a callback."""
        async with asyncio.timeout(PATIENCE_S):
            while self.calls.count(call) < count:
                self._grown.clear()
                await self._grown.wait()

    async def over(self) -> Recorder:
        """Wait for the end, whichever."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.calls or self.calls[-1] not in ("end", "failed", "upgraded"):
                self._grown.clear()
                await self._grown.wait()
        return self

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def failure(self) -> str:
        """Kind and words."""
        return "" if self.error is None else f"{self.error.kind}: {self.error}"

    def _note(self, call: str) -> None:
        self._told(call)
        self.calls.append(call)
        self._grown.set()


class Source:
    """The rest of a request body: pieces that the test pushes."""

    def __init__(self) -> None:
        self.sink: BodySink | None = None
        self.calls: list[str] = []
        self._started = asyncio.Event()
        self.paused = asyncio.Event()
        self.resumed = asyncio.Event()

    def start(self, sink: BodySink) -> None:
        self.sink = sink
        self.calls.append("start")
        self._started.set()

    def pause(self) -> None:
        self.calls.append("pause")
        self.resumed.clear()
        self.paused.set()

    def resume(self) -> None:
        self.calls.append("resume")
        self.paused.clear()
        self.resumed.set()

    async def started(self) -> BodySink:
        """Wait for the sink."""
        async with asyncio.timeout(PATIENCE_S):
            await self._started.wait()
        assert self.sink is not None
        return self.sink


def question(method: str = "POST", **parts: Any) -> Question:
    """A request for /x; a POST has a short body unless ``parts`` say otherwise."""
    if method == "POST":
        parts = {"headers": (("Content-Length", "2"),), "body": b"hi"} | parts
    return Question(**({"method": method, "target": "/x", "headers": (), "body": None} | parts))


class Edge:
    """An upstream edge; call it to ask."""

    def __init__(self, upstream: HttpUpstream) -> None:
        self.upstream = upstream
        self.asked: list[Asking] = []

    def __call__(self, what: Question | None = None, receiver: Recorder | None = None) -> tuple[Recorder, Asking]:
        receiver = receiver or Recorder()
        self.asked.append(self.upstream.ask(what or question(), receiver))
        return receiver, self.asked[-1]


@asynccontextmanager
async def asking(url: str, limits: Limits | None = None, ca: str | None = None) -> AsyncIterator[Edge]:
    """The edge in front of ``url``; what is still under way at the end is cancelled."""
    edge = Edge(HttpUpstream(Target(url), Trust(ca), limits or Limits()))
    try:
        yield edge
    finally:
        for each in edge.asked:
            each.cancel()
        edge.upstream.close()
        await asyncio.sleep(0)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def serving(serve: Serve, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[int]:
    """A server on a port of this machine that does with each connection as ``serve`` says, and then closes it."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side left
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(run(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, host, 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
