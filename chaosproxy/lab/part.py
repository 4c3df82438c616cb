"""A part of the lab as a process: how it says that it is ready, and when it ends.

The rules are the same for all: one JSON line on stdout once it listens; SIGTERM and SIGINT end it; on a ``leash`` it
also ends at EOF of stdin, so that a part never outlives the process that holds the other end of the pipe.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from chaosproxy.errors import ChaosError, UserError, printable

S = TypeVar("S", bound=BaseModel)

LINE_LIMIT_BYTES = 16 * 1024 * 1024
"""The longest line that a part takes on its stdin."""


class Part(Protocol):
    """What can be started and stopped in the running loop, and has an address while it runs."""

    @property
    def url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:8000``."""

    async def __aenter__(self) -> Self:
        """Start it. Raises PartFailed when it cannot listen."""

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop it; what is still open is cut off."""


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:9001``; ``:9001`` means loopback. Raises UserError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise UserError(f"expected an address such as 127.0.0.1:9001, got {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def url_of(host: str, port: int) -> str:
    """``http://127.0.0.1:9001``; an IPv6 address gets its brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Arguments(Generic[S]):
    """The command line of a part."""

    settings: S
    listen: str
    leash: bool


def parse_arguments(module: str, model: type[S], argv: Sequence[str]) -> Arguments[S]:
    """Read ``--settings JSON --listen HOST:PORT --leash``; ends the process with 2 when they are wrong."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=model.__doc__)
    parser.add_argument("--settings", default="{}", metavar="JSON", help="as under systems: of an experiment file")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="port 0 picks a free one")
    parser.add_argument("--leash", action="store_true", help="end at EOF of stdin")
    given = parser.parse_args(argv)
    try:
        settings = model.model_validate_json(given.settings)
    except ValidationError as error:
        parser.error(f"--settings: {error}")
    return Arguments(settings, given.listen, given.leash)


def announce(**facts: Any) -> None:
    """Print the ready line: ``{"ready": true, ...}``."""
    print(json.dumps({"ready": True, **facts}), flush=True)  # noqa: T201 - the line is the interface


async def open_stdin() -> asyncio.StreamReader:
    """Our stdin, which must be a pipe, as a reader of the running loop."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


@contextlib.contextmanager
def signals_end(told: asyncio.Future[str]) -> Iterator[None]:
    """Let SIGTERM and SIGINT set ``told`` (to their names) instead of killing the process."""
    loop = asyncio.get_running_loop()

    def tell(name: str) -> None:
        if not told.done():
            told.set_result(name)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, number.name)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def leash_ends(told: asyncio.Future[str]) -> AsyncIterator[None]:
    """Let EOF of stdin set ``told``, so that this process never outlives the one that holds the other end."""

    async def hold() -> None:
        reader = await open_stdin()
        while await reader.read(4096):
            pass
        if not told.done():
            told.set_result("EOF")

    holder = asyncio.create_task(hold())
    try:
        yield
    finally:
        holder.cancel()


async def run_part(part: Part, *, leash: bool = False) -> str:
    """Start ``part``, announce it, and stop it when told to: SIGTERM, SIGINT or, on a leash, EOF, which is returned."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(signals_end(told))
        if leash:
            await stack.enter_async_context(leash_ends(told))
        await stack.enter_async_context(part)
        announce(url=part.url)
        return await told


def run_process(main: Coroutine[Any, Any, Any]) -> int:
    """Run a part's main coroutine in a loop of its own (uvloop's where it exists); the exit code.

    Logs go to stderr: stdout belongs to the ready line, and nobody may read what comes after it.
    """
    log_to_stderr()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main)
    except ChaosError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the process has no other voice
        return error.exit_code
    return 0


def log_to_stderr() -> None:
    """For people on a terminal, as JSON lines elsewhere; tracebacks never show variables, which may hold keys."""
    renderers: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if sys.stderr.isatty():
        renderers = [_printable, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), *renderers],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _printable(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What was said, with words of others that cannot steer a terminal."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}


def _loop_factory() -> Any:
    try:
        import uvloop  # noqa: PLC0415 - it does not exist on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
