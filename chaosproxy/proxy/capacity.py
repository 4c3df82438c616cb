"""How many client connections there may be: fewer than file descriptors allow, so that the process never runs out."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger()

FILES_EACH = 2
"""A client's connection, and the one to its upstream."""
FILES_KEPT = 128
"""Descriptors for all else: listeners, journal, control API, and clients that are being turned away."""
TURNED_AWAY = 64
"""So many clients at once are told that there is no room; others wait in the kernel's queue."""
MOST = 10_000
"""The limit where nobody asked for one and descriptors allow more."""


class Capacity:
    """Counts the client connections of a proxy. ``asked`` is None for as many as descriptors allow, at most MOST."""

    def __init__(self, asked: int | None) -> None:
        files = _files()
        room = None if files is None else max(1, (files - FILES_KEPT) // FILES_EACH)
        wanted = MOST if asked is None else asked
        self.limit = wanted if room is None else min(wanted, room)
        if asked is not None and self.limit < asked:
            log.warning(
                "connections_max",
                asked=asked,
                allowed=self.limit,
                explanation=f"{files} file descriptors allow no more; raise the limit (ulimit -n) for {asked}",
            )
        self._last_file = None if files is None else max(self.limit, files - FILES_KEPT + TURNED_AWAY)
        self._open = 0
        self._turned_away = 0

    @property
    def crowded(self) -> bool:
        """Whether one more could not even be turned away, so that it should wait."""
        return self._open >= self.limit and self._turned_away >= TURNED_AWAY

    def admit(self, file: int) -> bool:
        """Count an accepted connection in, or as one that is turned away.

        The kernel gives the lowest free descriptor, so a ``file`` near the limit means that nearly all are taken, by
        upstreams that are read on without their clients, for instance.
        """
        admitted = self._open < self.limit and (self._last_file is None or file <= self._last_file)
        if admitted:
            self._open += 1
        else:
            self._turned_away += 1
        return admitted

    def left(self) -> None:
        """A connection that was admitted is gone."""
        self._open -= 1

    def turned_away(self) -> None:
        """A client that was turned away is gone."""
        self._turned_away -= 1


def allow_files(connections: int | None) -> None:
    """Let this process have the descriptors that ``connections`` need, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FILES_EACH * (MOST if connections is None else connections) + FILES_KEPT
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if resource.RLIM_INFINITY != soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _files() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
