"""A compose project without an engine: its services as processes of this machine.

Everything that a service is comes out of docker-compose.yml: words, environment, files, order, health. From here are
the programs that the images would bring (PROGRAMS), and addresses instead of names (Network).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from typing import Self

from benchmarks import peers
from tests.e2e.compose.file import ROOT, Service
from tests.e2e.compose.network import Network

LITELLM = ROOT / ".venv-litellm" / "bin" / "litellm"
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "chaosproxy": (sys.executable, "-m", "chaosproxy"),
    "python": (sys.executable,),
    "python3": (sys.executable,),
    "litellm": (str(LITELLM),),
    "/toxiproxy": (str(peers.toxiproxy().program),),
    "/toxiproxy-cli": (str(peers.toxiproxy_cli().program),),
}
"""Programs of images and what they are here; others are looked for on the search path."""

POLL_S = 0.1
STOP_WITHIN_S = 15.0
RUN_WITHIN_S = 110.0


class Broken(Exception):
    """A service did not become what the file promises."""


class Project:
    """Services of one file; they end with the block."""

    def __init__(self, services: Mapping[str, Service], folder: Path) -> None:
        self.services = services
        self.network = Network(services)
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._starting: dict[str, float] = {}  # when each must be healthy at the latest
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Last started, first stopped."""
        self._exits.close()

    @property
    def running(self) -> set[str]:
        """The services that were started, and have not ended."""
        return {name for name, process in self._running.items() if process.poll() is None}

    def up(self, *names: str) -> None:
        """Start services as soon as what they depend on is as they want it, and wait until all are healthy.

        Raises Broken.
        """
        waiting = self._with_dependencies(names) - self._running.keys()
        while waiting or self._starting:
            for name in sorted(waiting):
                if all(map(self._is_ready, self.services[name].depends_on.items())) and self._has_network(name):
                    self._start(self.services[name])
                    waiting.discard(name)
            for name in sorted(self._starting):
                self._ask(self.services[name])
            sleep(POLL_S)

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a service to its end, with other words than those of the file if any are given. Raises Broken."""
        self.up(*self._needed_by(name))
        service = self.services[name]
        return subprocess.run(
            self._argv(service, words or service.command),
            cwd=self._root(service) + service.workdir,
            env=self._variables(service),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_WITHIN_S,
        )

    def execute(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program inside a service, where 127.0.0.1 is the service."""
        service = self.services[name]
        program, *rest = words
        return subprocess.run(
            [*_program(program), *(self.network.asked_inside(service, word) for word in rest)],
            env={
                **os.environ,
                **{key: self.network.asked_inside(service, it) for key, it in service.environment.items()},
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_WITHIN_S,
        )

    def check_ports(self, name: str) -> None:
        """See that something listens behind each port that the service publishes. Raises Broken."""
        service = self.services[name]
        for port in service.container_ports:
            try:
                socket.create_connection((self.network.address(service), port), timeout=5).close()
            except OSError as error:
                raise Broken(f"{name}: nothing listens at its published port {port}: {error}") from None

    def url(self, name: str, port: int) -> str:
        """Where another service would reach it."""
        return f"http://{self.network.address(self.services[name])}:{port}"

    def _needed_by(self, name: str) -> set[str]:
        """What must be there first."""
        service = self.services[name]
        for other, condition in service.depends_on.items():
            if other not in self.services:
                raise Broken(f"{name} depends on {other}, which does not exist")
            if condition == "service_healthy" and self.services[other].health is None:
                raise Broken(f"{name} waits for the health of {other}, which has no health check")
        return {*service.depends_on, service.owner} - {name}

    def _with_dependencies(self, names: Iterable[str]) -> set[str]:
        """These, what they depend on, and so on."""
        found = set(names)
        for name in names:
            found |= self._with_dependencies(self._needed_by(name))
        return found

    def _is_ready(self, dependency: tuple[str, str]) -> bool:
        name, condition = dependency
        return name in self._running and (condition == "service_started" or name not in self._starting)

    def _has_network(self, name: str) -> bool:
        return self.services[name].owner in {name, *self._running}

    def _start(self, service: Service) -> None:
        process = subprocess.Popen(
            self._argv(service, service.command),
            cwd=self._root(service) + service.workdir,
            env=self._variables(service),
            stdin=subprocess.DEVNULL,
            stdout=self._exits.enter_context(self._log(service.name).open("wb")),
            stderr=subprocess.STDOUT,
        )
        self._running[service.name] = process
        self._exits.callback(_end, process)
        if service.health is not None:
            self._starting[service.name] = monotonic() + service.health.patience_s

    def _ask(self, service: Service) -> None:
        """Ask a service that is starting for its health, once. Raises Broken when it is too late."""
        assert service.health is not None
        asked = self.execute(service.name, *service.health.test)
        if asked.returncode == 0:
            del self._starting[service.name]
        elif (code := self._running[service.name].poll()) is not None:
            raise Broken(f"{service.name}: ended with {code}: {self._log(service.name).read_text()}")
        elif monotonic() > self._starting[service.name]:
            raise Broken(f"{service.name}: not healthy: {asked.stderr.strip()[-200:]}")

    def _argv(self, service: Service, command: Sequence[str]) -> list[str]:
        program, *words = (*service.entrypoint, *command)
        return [*_program(program), *(self._word(service, word) for word in words)]

    def _word(self, service: Service, word: str) -> str:
        """With addresses for names, and with the path that a mounted file has here."""
        root = self._root(service)
        mounted = any(word.startswith(target) for _, target in service.binds)
        return root + word if mounted else self.network.seen_by(service, word)

    def _variables(self, service: Service) -> dict[str, str]:
        """The file's own over those of this machine, which bring search paths and the measuring of coverage."""
        told = {key: self.network.seen_by(service, value) for key, value in service.environment.items()}
        return {**os.environ, **told}

    def _root(self, service: Service) -> str:
        """A folder that is the service's ``/``, as far as its files are concerned."""
        root = self._folder / service.name
        if not root.exists():
            (root / service.workdir.lstrip("/")).mkdir(parents=True)
            for source, target in service.binds:
                self._mount(service, ROOT / source, root / target.lstrip("/"))
        return str(root)

    def _mount(self, service: Service, source: Path, target: Path) -> None:
        if not source.exists():
            raise Broken(f"{service.name}: there is no {source} to mount")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
        for path in [*target.rglob("*"), target]:
            if path.is_file():
                path.write_text(self.network.seen_by(service, path.read_text("utf-8")), encoding="utf-8")

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _program(name: str) -> tuple[str, ...]:
    if known := PROGRAMS.get(name):
        return known
    found = shutil.which(name)
    if found is None:
        raise Broken(f"no image here brings a program {name!r}, and neither does this machine")
    return (found,)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
