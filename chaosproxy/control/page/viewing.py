"""Makes what the live page shows of a running proxy, when somebody looks."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from chaosproxy.control.desk import Desk
from chaosproxy.control.figures import Figures
from chaosproxy.control.outcomes import Outcome
from chaosproxy.control.page.chronicle import Chronicle
from chaosproxy.control.page.messages import Experiments, OpenStream, Traffic, View
from chaosproxy.errors import printable
from chaosproxy.proxy.proxy import Proxy
from chaosproxy.proxy.standing import Standing
from chaosproxy.proxy.watching import OpenExchange

STREAMS_SHOWN = 40
"""Requests under way that are listed: those that were silent for longest."""


class Shelf(Protocol):
    """Experiments that can be started."""

    def state(self) -> Experiments:
        """What there is, and what was started."""


class Viewer:
    """Looks at one proxy; ``figures`` and ``chronicle`` must be told of every journal entry."""

    def __init__(
        self, desk: Desk, proxy: Proxy, figures: Figures, chronicle: Chronicle, shelf: Shelf | None = None
    ) -> None:
        self._desk = desk
        self._proxy = proxy
        self._figures = figures
        self._chronicle = chronicle
        self._shelf = shelf

    @property
    def closed(self) -> bool:
        """Whether the proxy is about to end."""
        return self._desk.events.closed

    def view(self) -> View:
        """As it is now."""
        seen = self._proxy.look(STREAMS_SHOWN)
        failed, upstream_failed = self._failures()
        return View(
            status=self._desk.status(),
            traffic={
                each.listener: self._tcp(each)
                if each.is_tcp
                else Traffic(
                    is_tcp=False,
                    opened=each.opened,
                    open=each.open,
                    open_streams=each.open_streams,
                    failed=failed[each.listener],
                    asked=self._figures.asked[each.listener] + seen.asked[each.listener],
                    upstream_failed=upstream_failed[each.listener],
                )
                for each in self._proxy.standing()
            },
            streams=tuple(_stream(each) for each in seen.silent),
            lines=self._chronicle.lines(),
            experiments=None if self._shelf is None else self._shelf.state(),
        )

    def _failures(self) -> tuple[Counter[str], Counter[str]]:
        """By listener: what failed for clients, and what failed at the upstream."""
        failed: Counter[str] = Counter()
        for (listener, _, outcome), count in self._figures.exchanges.items():
            failed[listener] += count if outcome != Outcome.OK else 0
        upstream_failed: Counter[str] = Counter()
        for (listener, _), count in self._figures.upstream_errors.items():
            upstream_failed[listener] += count
        return failed, upstream_failed

    def _tcp(self, each: Standing) -> Traffic:
        ended = {how: count for (name, how), count in self._figures.connections.items() if name == each.listener}
        refused = ended.get("refused", 0)
        cut = sum(count for how, count in ended.items() if how in ("fin", "reset", "upstream_reset", "refused"))
        passed = self._figures.connection_bytes
        return Traffic(
            is_tcp=True,
            opened=each.connections_opened,
            open=each.connections_open,
            open_streams=0,
            failed=cut,
            asked=each.connections_opened - refused,
            upstream_failed=refused,
            bytes_up=passed[each.listener, "upstream"] + each.upstream_bytes,
            bytes_down=passed[each.listener, "downstream"] + each.downstream_bytes,
        )


def _stream(each: OpenExchange) -> OpenStream:
    what = " ".join(filter(None, (each.method, each.path, each.model)))
    return OpenStream(
        id=each.id,
        listener=each.listener,
        what=printable(what),
        stream=each.stream,
        status=each.status,
        age_s=each.age_s,
        silent_s=each.silent_s,
        gap_s=each.gap_s,
        tokens=each.tokens,
        bytes=each.bytes,
        faults=each.faults,
    )
