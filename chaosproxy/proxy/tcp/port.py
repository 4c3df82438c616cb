"""The listening socket of a TCP proxy, and the words of Toxiproxy's server when it cannot have one."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from contextlib import closing

import structlog

from chaosproxy.errors import PartFailed

log = structlog.get_logger()

BACKLOG = 1024
ACCEPT_AGAIN_S = 0.1
"""Pause when a connection could not be accepted."""


class CannotListen(PartFailed):
    """A port is taken, or an address is none of ours; ``go_text`` says it as Toxiproxy's server does."""

    def __init__(self, listen: str, go_text: str, words: str) -> None:
        self.go_text = go_text
        super().__init__(f"cannot listen on {listen}: {words}")


def split_address(text: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:9001``, ``[::1]:9001`` or ``:9001`` (an empty host). Raises CannotListen."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        what = "too many colons in address" if colon else "missing port in address"
        raise CannotListen(text, f"listen tcp: address {text}: {what}", f"{what}, expected one such as 127.0.0.1:9001")
    if not port:
        return host.strip("[]"), 0
    if not port.isdecimal() or int(port) > 65535:
        what = f"address {port}: invalid port" if _is_number(port) else f"lookup tcp/{port}: unknown port"
        raise CannotListen(text, f"listen tcp: {what}", f"expected a port from 0 to 65535, got {port!r}")
    return host.strip("[]"), int(port)


def join_address(host: str, port: int) -> str:
    """The inverse of ``split_address``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Port:
    """Accepts connections and gives their sockets to ``accepted``; while it refuses, it keeps its address.

    ``crowded`` says that for now there is no room for one more, so that it waits in the kernel's queue.
    """

    def __init__(
        self, bound: socket.socket, accepted: Callable[[socket.socket], None], crowded: Callable[[], bool]
    ) -> None:
        self._socket = bound
        self._accepted = accepted
        self._crowded = crowded
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._listens = False
        host, port = bound.getsockname()[:2]
        self.address = join_address(host, port)

    def listen(self) -> None:
        """Let connections in. Raises CannotListen."""
        if self._listens:
            return
        try:
            self._socket.listen(BACKLOG)
        except OSError as error:
            raise _cannot(self.address, self.address, error, "listen") from error
        self._listens = True
        self._loop.add_reader(self._socket, self._accept)

    def refuse(self) -> None:
        """Let the kernel refuse connections, and keep the address."""
        if self._listens:
            self._ignore()
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the address up."""
        self._ignore()
        self._socket.close()

    def _ignore(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        elif self._listens:
            self._loop.remove_reader(self._socket)
        self._listens = False

    def _accept(self) -> None:
        for _ in range(BACKLOG):
            if self._crowded():
                self._accept_later()
                return
            try:
                accepted, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:  # no file descriptor is left, or the client is gone already
                log.warning("accept_failed", listener=self.address, error=_words(error))
                self._accept_later()
                return
            accepted.setblocking(False)  # noqa: FBT003 - the name of the method says it
            self._accepted(accepted)

    def _accept_later(self) -> None:
        self._loop.remove_reader(self._socket)
        self._pause = self._loop.call_later(ACCEPT_AGAIN_S, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket, self._accept)


async def listening(listen: str) -> socket.socket:
    """A socket that listens on an address; without a host to 127.0.0.1, and to IPv4 where a name has both.

    Raises CannotListen.
    """
    host, port = split_address(listen)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host or "127.0.0.1", port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        go_text = f"listen tcp: lookup {host}: no such host"
        raise CannotListen(listen, go_text, f"{host} has no address") from error
    family, kind, proto, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    bound = _reusable(family, kind, proto)
    try:
        with closing(_reusable(family, kind, proto)) as chooser:
            if port == 0:  # a port that the kernel chose on its own is given up at a shutdown, an explicit one is not
                chooser.bind(address)
                address = chooser.getsockname()
            bound.bind(address)
        bound.listen(BACKLOG)  # as many as like can be bound to one address, until one of them listens
    except OSError as error:
        bound.close()
        raise _cannot(listen, join_address(*address[:2]), error, "bind") from error
    return bound


def _reusable(family: int, kind: int, proto: int) -> socket.socket:
    sock = socket.socket(family, kind, proto)
    sock.settimeout(0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def _cannot(listen: str, resolved: str, error: OSError, step: str) -> CannotListen:
    step = "bind" if error.errno == errno.EADDRINUSE else step
    return CannotListen(listen, f"listen tcp {resolved}: {step}: {_words(error)}", _words(error))


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _words(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
