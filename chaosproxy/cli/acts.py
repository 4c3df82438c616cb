"""The demo: backend, proxy and client in one loop; the same question, answered well and badly."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import aiohttp
import typer

from chaosproxy.events import Kind
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.lines import Narrator
from chaosproxy.lab.backend import Backend
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from chaosproxy.wire.dialects import dialect

QUESTION = "What is the capital of France?"
CLIENT_TIMEOUT_S = 3.0
PAUSE_S = 1.5
"""Time to read, after each act."""


@dataclass(frozen=True, slots=True)
class Act:
    """One time the same question, under a fault (or none), and what it teaches."""

    title: str
    fault: str | None
    lesson: str


ACTS = (
    Act("A healthy answer", None, "Remember how it ends: a finish reason, then [DONE]."),
    Act(
        "The answer is cut",
        "stream.truncate where=token:5",
        "The connection ended cleanly, so most clients take this for the whole answer; only [DONE] is missing.",
    ),
    Act(
        "The answer stalls",
        "time.stall where=token:5",
        "The connection is open and silent: without a deadline between two events a client waits for ever.",
    ),
    Act(
        "The provider fails in mid-stream",
        "llm.error_event where=token:5",
        "The status was 200 and content was shown already: too late for a silent retry or a fallback.",
    ),
    Act(
        "The provider has had enough",
        "http.rate_limit retry_after=2",
        "Nothing was shown yet: a gateway can fall back now, or wait as long as it was told.",
    ),
)

NEXT = """\
next:
  chaosproxy run first-drill     a gateway between client and backends, faults on a timeline, and a verdict
  chaosproxy serve --upstream https://api.openai.com --fault 'stream.truncate where=token:5'
                                 the same faults in front of your own client"""


async def play() -> None:
    """The whole demo, to standard output."""
    told = Told()
    async with Backend(BackendSettings(ttft=0.4, inter_token=0.2)) as backend:
        listener = ListenerSpec("demo", "127.0.0.1:0", backend.url)
        async with Proxy([listener], record=told.take) as proxy, aiohttp.ClientSession() as session:
            typer.echo(f"client -> chaosproxy {proxy.urls['demo']} -> mock backend {backend.url}")
            typer.echo(f"Each time the client asks: {QUESTION}")
            for number, act in enumerate(ACTS, 1):
                await _perform(number, act, proxy, session, told)
    typer.echo(f"\n{NEXT}")


class Told:
    """What the proxy says about each exchange, when it has ended."""

    def __init__(self) -> None:
        self._narrator = Narrator()
        self._lines: asyncio.Queue[str] = asyncio.Queue()

    def take(self, entry: Entry) -> None:
        """Of the proxy's entries, those that end an exchange."""
        if line := self._narrator.tell(entry.record):
            self._lines.put_nowait(line)

    async def line(self) -> str:
        """The next one."""
        return await self._lines.get()


async def _perform(number: int, act: Act, proxy: Proxy, session: aiohttp.ClientSession, told: Told) -> None:
    typer.secho(f"\n{number}. {act.title}", bold=True)
    if act.fault is not None:
        typer.echo(f"   --fault '{act.fault}'")
        rule = Rule.model_validate({"id": "demo", "listeners": ("demo",), **parse_flat(act.fault)})
        proxy.apply([rule], owner="demo", lease_s=float("inf"), seed=1)
    typer.echo("   client got:  ", nl=False)
    ending = await _ask(session, proxy.urls["demo"])
    typer.echo(f"\n   it ended:    {ending}")
    typer.echo(f"   proxy says:  {await told.line()}")
    typer.secho(f"   => {act.lesson}", fg="cyan")
    proxy.clear("demo")
    await asyncio.sleep(PAUSE_S)


async def _ask(session: aiohttp.ClientSession, url: str) -> str:
    """Ask, print the answer as it comes, and say how it ended, as a client sees it."""
    request = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    timeout = aiohttp.ClientTimeout(total=None, sock_read=CLIENT_TIMEOUT_S)
    try:
        async with session.post(f"{url}/v1/chat/completions", json=request, timeout=timeout) as response:
            if response.status != 200:
                typer.echo("nothing", nl=False)
                error = (await response.json())["error"]
                wait = response.headers.get("retry-after")
                return f"status {response.status} {error['code'] or error['type']}, retry-after {wait} s"
            return await _listen(response)
    except TimeoutError:
        return f"nothing more for {CLIENT_TIMEOUT_S:g} s, so the client gave up"


async def _listen(response: aiohttp.ClientResponse) -> str:
    chat = dialect("openai.chat")
    events = chat.splitter()
    finish = None
    async for data in response.content.iter_any():
        for frame in events.feed(data):
            meaning = chat.read_event(frame)
            typer.echo(meaning.text, nl=False)
            finish = meaning.finish or finish
            if meaning.kind & Kind.ERROR:
                return f"an error event after status 200: {_error_type(frame)}"
            if meaning.kind & Kind.TERMINAL:
                return f'finish reason "{finish}", then [DONE]'
    return "cleanly, without an exception, a finish reason or [DONE]"


def _error_type(frame: bytes) -> str:
    error = json.loads(frame.removeprefix(b"data: "))["error"]
    return f"{error['type']}, {error['message']!r}"
