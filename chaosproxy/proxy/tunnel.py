"""A raw tunnel between two pipes, for what follows a 101."""

from __future__ import annotations

from collections.abc import Callable

from chaosproxy.proxy.edges import Pipe


class Tunnel:
    """Carries bytes both ways until one end is lost; then closes both and calls ``on_end``.

    Its arguments are how many bytes came from the upstream and went to the client.
    """

    def __init__(self, client: Pipe, upstream: Pipe, on_end: Callable[[int, int], None]) -> None:
        self._pipes = (client, upstream)
        self._on_end = on_end
        self._from_upstream_bytes = 0
        self._over = False
        client.start(lambda data: self._carry(0, data), upstream.resume, self.close)
        upstream.start(lambda data: self._carry(1, data), client.resume, self.close)

    def close(self) -> None:
        """End both sides after what was written."""
        if self._over:
            return
        self._over = True
        for pipe in self._pipes:
            pipe.close()
        self._on_end(self._from_upstream_bytes, self._from_upstream_bytes)

    def _carry(self, source: int, data: bytes) -> None:
        self._from_upstream_bytes += len(data) * source
        if not self._pipes[1 - source].write(data):
            self._pipes[source].pause()
