"""Sets the stage: what the file's ``systems`` and ``topology`` name, started in an order that resolves references.

Backends first, then our proxy in front of them, then what needs to know our listeners, such as a gateway.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from chaosproxy.errors import PartFailed
from chaosproxy.experiment.probe import Scene
from chaosproxy.experiment.references import fill
from chaosproxy.experiment.section import without_scheme
from chaosproxy.experiment.topology import Backend, Command, LabGateway, System
from chaosproxy.runner.order import Order
from chaosproxy.runner.parts import Part
from chaosproxy.runner.server_side import ServerSide

POLL_S = 0.05
"""How often a starting command is asked whether it is ready."""
ANSWER_WITHIN_S = 2.0
"""How long one such question may take."""
_OF_ONE_PROXY = frozenset(
    f"CHAOSPROXY_{name}" for name in ("LISTEN", "UPSTREAM", "CONFIG", "CONTROL", "TOKEN_FILE", "JOURNAL")
)
"""Variables that say where one proxy is, or should be: a `chaosproxy serve` among the systems is another one."""


@dataclass(frozen=True, slots=True)
class Control:
    """Where and with which token the proxy is driven."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs. ``parts`` are all processes, the proxy among them unless the run attaches to one."""

    entry: str
    control: Control | None
    proxy: Part | None
    parts: tuple[Part, ...]
    scene: Scene


class Systems:
    """Starts the systems and the proxy of one experiment; they end with ``exits``, last started first.

    ``listeners``: the URLs, by name, of a proxy that runs already.
    """

    def __init__(
        self, order: Order, exits: AsyncExitStack, server: ServerSide, listeners: Mapping[str, str] | None = None
    ) -> None:
        self._experiment = order.experiment
        self._seed = order.seed
        self._directory = order.directory
        self._plugins = order.plugins
        self._file_of = order.file_of
        self._exits = exits
        self._server = server
        self._listeners_there = listeners
        self._facts: dict[str, str] = {"run.id": order.run_id}
        self._urls: dict[str, str] = {}
        self._ports: dict[str, int] = {}
        self._parts: list[Part] = []
        self._pids: dict[str, int] = {}

    async def start(self) -> Stage:
        """Start all. Raises PartFailed with the last words of what did not start."""
        systems = self._experiment.systems if self._listeners_there is None else self._in_front()
        late = {name for name, system in systems.items() if "${listener." in repr(system) or "${entry}" in repr(system)}
        self._reserve(late)
        server = self._experiment.topology.toxics.server
        if server is not None and server not in systems:
            await self._open_server(server)
        await self._start_all({name: system for name, system in systems.items() if name not in late})
        if server is not None and server in systems:
            await self._open_server(self._urls[server])
        proxy, control = await self._start_proxy() if self._listeners_there is None else self._take_proxy()
        await self._start_all({name: system for name, system in systems.items() if name in late})
        entry = self._experiment.topology.entry
        url = self._urls.get(entry) or fill(entry, self._facts)
        return Stage(url, control, proxy, tuple(self._parts), self._scene(url))

    def _reserve(self, late: set[str]) -> None:
        """A system that needs to know our listeners, and stands behind one of them, is told its port beforehand."""
        for backend in self._experiment.topology.backends.values() if self._listeners_there is None else ():
            if backend.system in late and backend.system not in self._ports:
                port = self._ports[backend.system] = _free_port()
                self._urls[backend.system] = f"http://127.0.0.1:{port}"

    def _scene(self, entry: str) -> Scene:
        leashes = (self._pids[name] for name, system in self._experiment.systems.items() if isinstance(system, Command))
        return Scene({**self._facts, "entry": entry.rstrip("/")}, self._pids, frozenset(leashes))

    async def _open_server(self, url: str) -> None:
        self._exits.push_async_callback(self._server.abandon)
        await self._server.open(url)

    async def _front(self, proxy: Part) -> None:
        """Where clients connect to: our listeners, or what a Toxiproxy server has in front of them."""
        listeners = {name: str(listener["url"]) for name, listener in proxy.ready["listeners"].items()}
        upstreams = {name: self._upstream(each) for name, each in self._experiment.topology.backends.items()}
        addresses = await self._server.front(upstreams, listeners)
        for name, url in listeners.items():
            address = addresses.get(name, urlsplit(url).netloc)
            self._facts[f"listener.{name}"] = without_scheme(urlsplit(url)._replace(netloc=address).geturl())

    async def _start_all(self, systems: Mapping[str, System]) -> None:
        try:
            async with asyncio.TaskGroup() as starting:
                for name, system in systems.items():
                    starting.create_task(self._start(name, system))
        except BaseExceptionGroup as group:  # Python 3.11.2 wraps what an `except*` raises
            failed, others = group.split(PartFailed)
            if failed is None or others is not None:
                raise
            raise failed.exceptions[0] from None

    async def _start(self, name: str, system: System) -> None:
        if isinstance(system, Command):
            self._urls[name] = await self._start_command(name, system)
            return
        module = f"chaosproxy.lab.{system.lab}"
        if isinstance(system, LabGateway):
            system = system.model_copy(update={"ca": self._file_of(system.ca or self._experiment.topology.ca)})
        settings = fill(system.model_dump_json(exclude={"lab"}), self._facts)
        part = await Part.start_module(
            name,
            module,
            ["--settings", settings, "--listen", f"127.0.0.1:{self._ports.get(name, 0)}", "--leash"],
            self._directory,
        )
        self._keep(part)
        self._pids[name] = part.pid
        self._urls[name] = str(part.ready["url"])

    async def _start_command(self, name: str, system: Command) -> str:
        port = self._ports.get(name) or _free_port()
        facts = {**self._facts, "port": str(port)}
        env = environment_of(system, facts)
        command = [fill(word, facts) for word in system.command]
        part = await Part.start_command(name, command, self._directory, env)
        self._keep(part)
        self._pids[name] = part.pid
        url = f"http://127.0.0.1:{port}"
        ready = fill(system.ready.http, facts) if system.ready else None
        within_s = system.ready.within if system.ready else 30.0
        try:
            async with asyncio.timeout(within_s):
                await _until_ready(part, ready, port)
        except TimeoutError:
            raise PartFailed(f"{name}: not ready after {within_s:g} s{part.last_words()}") from None
        return url

    async def _start_proxy(self) -> tuple[Part, Control]:
        config = self._directory / "proxies.yaml"
        token_file = self._directory / "token"
        token = secrets.token_urlsafe(24)
        _write_private(token_file, token)
        proxies: dict[str, Any] = {"seed": str(self._seed), "listeners": self._listeners()}
        if (ca := self._file_of(self._experiment.topology.ca)) is not None:
            proxies["ca"] = ca
        _write_private(config, json.dumps(proxies))
        argv = ["serve", "--config", str(config), "--control", "127.0.0.1:0", "--token-file", str(token_file)]
        argv += [word for plugin in self._plugins for word in ("--plugin", plugin)]
        try:
            part = await Part.start_module("proxy", "chaosproxy", [*argv, "--json", "--leash"], self._directory)
        finally:  # the proxy has read them, and a kill of ours must not leave them behind
            for secret in (token_file, config):
                secret.unlink()
        self._keep(part)
        await self._front(part)
        return part, Control(str(part.ready["control"]), token)

    def _take_proxy(self) -> tuple[None, None]:
        for name, url in (self._listeners_there or {}).items():
            self._facts[f"listener.{name}"] = url
        return None, None

    def _in_front(self) -> dict[str, System]:
        """Without those that only stand behind listeners of ours: a proxy that runs already has upstreams."""
        topology, systems = self._experiment.topology, self._experiment.systems
        behind = {backend.system for backend in topology.backends.values()} - {topology.entry}
        return {name: system for name, system in systems.items() if name not in behind}

    def _listeners(self) -> dict[str, dict[str, Any]]:
        return {name: self._listener(name, backend) for name, backend in self._experiment.topology.backends.items()}

    def _listener(self, name: str, backend: Backend) -> dict[str, Any]:
        listener: dict[str, Any] = {
            "listen": self._server.listen(name),
            "upstream": self._upstream(backend),
            "dialect": backend.dialect,
        }
        if backend.tls is not None:
            files = {"cert": self._file_of(backend.tls.cert), "key": self._file_of(backend.tls.key)}
            listener["tls"] = {key: path for key, path in files.items() if path is not None}
        return listener

    def _upstream(self, backend: Backend) -> str:
        url = self._urls.get(backend.system)
        if url is None:
            return backend.upstream
        return urlsplit(url)._replace(scheme=urlsplit(backend.upstream).scheme).geturl() if backend.is_tcp else url

    def _keep(self, part: Part) -> None:
        self._parts.append(part)
        self._exits.push_async_callback(part.stop)


async def _until_ready(part: Part, url: str | None, port: int) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)) as session:
        while not (await _answers(session, url) if url else await _listens(port)):
            if not part.running:
                raise PartFailed(f"{part.name}: ended before it was ready{part.last_words()}")
            await asyncio.sleep(POLL_S)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status < 400
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def environment_of(system: Command, facts: Mapping[str, str]) -> dict[str, str]:
    """What a program of the file finds: our own environment, but for where a proxy is, and what the file gives it."""
    inherited = {key: value for key, value in os.environ.items() if key not in _OF_ONE_PROXY}
    return {**inherited, "PATH": _path(), **{key: fill(value, facts) for key, value in system.env.items()}}


def _path() -> str:
    """Programs of our own environment are found even when it is not activated."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    """For our eyes only: an upstream's URL may carry a password."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
