"""A listener: one address of ours in front of one upstream, and the gate before it.

While the gate refuses, the port does not listen, so that the kernel itself answers connections with a refusal, and yet
nobody else can take the port: the listening socket is shut down, which keeps its address, and listens again afterwards.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from chaosproxy.errors import PartFailed, UserError
from chaosproxy.faults.base import Gate
from chaosproxy.proxy.capacity import Capacity
from chaosproxy.proxy.certificates import KeyPair, server_context
from chaosproxy.proxy.client_wire import reset
from chaosproxy.proxy.connection import Refused
from chaosproxy.proxy.hosts import Guest, Host
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.tls import TlsLayer
from chaosproxy.proxy.turned_away import Slammed, close_politely, in_the_clear

log = structlog.get_logger()

BACKLOG = 1024
ACCEPT_AGAIN_S = 0.1
"""Pause when a connection could not be accepted, or not even turned away."""
SHUTDOWN_S = 0.1
"""How long connections that were aborted may take to end."""
_SLAMS = {Gate.REFUSE: reset, Gate.RESET: reset, Gate.CLOSE: close_politely}
"""How a gate ends new connections; a port that refuses does not listen, so it has only those that came just before."""
_SECURE = {"http": "https", "tcp": "tls"}


@dataclass(frozen=True, slots=True)
class ListenerSpec:
    """What an operator says about a listener.

    ``upstream`` is an http or https URL, ``tcp://HOST:PORT`` or ``tls://HOST:PORT``. ``listen`` is ``host:port``;
    ``:9001`` means 127.0.0.1, port 0 a free one. ``dialect`` is ``auto`` (by the request's path) or a dialect's name.
    ``role`` is a second name that experiments may aim at. With ``tls`` clients speak TLS.
    """

    name: str
    listen: str
    upstream: str
    dialect: str = "auto"
    role: str | None = None
    tls: KeyPair | None = None

    @property
    def is_tcp(self) -> bool:
        """Whether its traffic is bytes, and not HTTP."""
        return self.upstream.startswith(("tcp://", "tls://"))


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:9001``, ``:9001`` or ``[::1]:9001``. Raises UserError."""
    host, colon, port = text.rpartition(":")
    if not colon or "/" in host or not port.isdecimal() or int(port) > 65535:
        raise UserError(f"expected an address such as 127.0.0.1:9001, got {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def bind(text: str) -> socket.socket:
    """A socket bound to an address, not listening yet. Raises PartFailed when it is taken or not ours."""
    host, port = parse_address(text)
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise PartFailed(f"cannot listen on {text}: {error.strerror}") from error
    with closing(_reusable(family, kind, proto)) as chooser:
        bound = _reusable(family, kind, proto)
        try:
            if port == 0:  # a port that the kernel chose on its own is given up at a shutdown, an explicit one is not
                chooser.bind(address)
                address = chooser.getsockname()
            bound.bind(address)
        except OSError as error:
            bound.close()
            raise PartFailed(f"cannot listen on {text}: {_words(error)}") from error
    return bound


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _reusable(family: int, kind: int, proto: int) -> socket.socket:
    sock = socket.socket(family, kind, proto)
    sock.settimeout(0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


class Listener:
    """Accepts connections and hands them to its ``host``.

    ``on_slam`` is told of each connection that the gate reset, ``refused`` of each that is one too many.

    Needs a running loop. Raises PartFailed when the address is taken, UserError for a certificate that cannot be used.
    """

    def __init__(
        self,
        spec: ListenerSpec,
        host: Host,
        limits: Limits,
        *,
        capacity: Capacity,
        on_slam: Callable[[], None],
        refused: Refused,
    ) -> None:
        self.spec = spec
        self._host = host
        self._limits = limits
        self._guests: set[Guest] = set()
        self._numbers = 0
        self._left = asyncio.Event()  # nobody is connected
        self._left.set()
        self._refused = refused
        self._capacity = capacity
        self._on_slam = on_slam
        self._gate: Gate | None = None
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._opening: set[asyncio.Task[Any]] = set()
        self._tls = None if spec.tls is None else server_context(spec.tls)
        self._explained: set[str] = set()  # kinds of failed handshakes
        self._socket = bind(spec.listen)
        name, port = self._socket.getsockname()[:2]
        self._address = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        self._listen()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"{self._host.scheme if self._tls is None else _SECURE[self._host.scheme]}://{self._address}"

    @property
    def connections(self) -> tuple[int, int]:
        """How many it has accepted so far, and how many of them are open."""
        return self._numbers, len(self._guests)

    @property
    def _closed(self) -> bool:
        return self._socket.fileno() == -1

    def set_gate(self, gate: Gate | None) -> None:
        """Let connections in (None), reset them, or refuse them. Raises PartFailed when the port is lost."""
        if self._closed:
            return
        before, self._gate = self._gate, gate
        if gate is Gate.REFUSE and before is not Gate.REFUSE:
            self._refuse()
        elif gate is not Gate.REFUSE and before is Gate.REFUSE:
            self._listen()
        if gate is not None and gate is not before:
            self._end_idle(gate)

    def close_idle(self) -> None:
        """Accept no more, and end connections as soon as they are idle."""
        self._stop_accepting()
        self._end_idle(Gate.REFUSE)

    async def close(self) -> None:
        """Stop accepting, and end all connections."""
        self._stop_accepting()
        self._socket.close()
        for guest in tuple(self._guests):
            if guest.transport is not None:
                guest.transport.abort()
        self._host.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_S):
                await self._left.wait()

    def _listen(self) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.listen(BACKLOG)
        except OSError as error:
            self._socket.close()
            raise PartFailed(f"cannot listen on {self._address}: {_words(error)}") from error
        self._loop.add_reader(self._socket, self._accept)

    def _stop_accepting(self) -> None:
        if not self._closed:
            self._loop.remove_reader(self._socket)
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _refuse(self) -> None:
        self._stop_accepting()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # or anybody could bind it too

    def _accept(self) -> None:
        for _ in range(BACKLOG):
            if self._capacity.crowded:
                self._accept_later()
                return
            try:
                accepted, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:  # no file descriptor is left, or the client is gone already
                log.warning("accept_failed", listener=self.spec.name, error=_words(error))
                self._accept_later()
                return
            accepted.setblocking(False)  # noqa: FBT003 - the name of the method says it
            protocol = self._protocol(accepted.fileno())
            opening = self._loop.create_task(self._loop.connect_accepted_socket(partial(_same, protocol), accepted))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    def _accept_later(self) -> None:
        self._stop_accepting()
        self._pause = self._loop.call_later(ACCEPT_AGAIN_S, self._listen)

    def _end_idle(self, gate: Gate) -> None:
        for guest in tuple(self._guests):
            if gate is Gate.RESET and not guest.busy and guest.transport is not None:
                reset(guest.transport)
            else:
                guest.close_when_idle()

    def _protocol(self, file: int) -> asyncio.Protocol:
        """Decided when a connection is accepted: of many at once, none is looked at before the others count."""
        if self._gate is not None:
            return Slammed(_SLAMS[self._gate], self._on_slam)
        if not self._capacity.admit(file):
            self._refused("connections")
            return self._secured(self._host.turn_away(self._capacity))
        self._numbers += 1
        guest, protocol = self._host.admit(self._numbers, self._forget)
        self._guests.add(guest)
        self._left.clear()
        return self._secured(protocol)

    def _secured(self, protocol: asyncio.Protocol) -> asyncio.Protocol:
        if self._tls is None:
            return protocol
        plain = in_the_clear() if self._host.scheme == "http" else b""
        return TlsLayer(protocol, self._tls, self._limits.handshake_s, self._no_handshake, plain)

    def _no_handshake(self, kind: str, words: str) -> None:
        """Counted in the journal; explained when it happens for the first time."""
        self._refused(kind)
        if kind not in self._explained:
            self._explained.add(kind)
            log.warning(kind, listener=self.spec.name, explanation=words)

    def _forget(self, guest: Guest) -> None:
        self._guests.remove(guest)
        self._capacity.left()
        if not self._guests:
            self._left.set()


def _same(protocol: asyncio.Protocol) -> asyncio.Protocol:
    return protocol
