"""conn.blackhole: the request is read, and nobody answers."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from chaosproxy.events import AT_HEAL, Exchange, Travelling
from chaosproxy.faults.admission.answer import reset
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import Instead
from chaosproxy.units import Hold, format_hold


class ConnBlackhole(Fault):
    """Accept and read the request, never answer it; the upstream is not asked."""

    type: ClassVar[str] = "conn.blackhole"
    room: ClassVar[Room] = Room.ADMISSION
    symptom: ClassVar[str] = "no answer at all, the connection stays open; the client waits until its own timeout"
    timeline: ClassVar[str] = "client    ask\nupstream  (not asked)\nclient    ........................ RST"
    no_neutral: ClassVar[str | None] = "it never asks the upstream, however short the silence"

    hold: Hold = AT_HEAL
    """How long the silence lasts before the connection is reset; ``forever``: until the lease ends."""

    @property
    def stops_upstream(self) -> bool:
        """Nothing goes through."""
        return True

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""

        def reply(at: float) -> list[Travelling]:
            return reset(at + self.hold)

        return Instead(exchange, f"never answered ({format_hold(self.hold)})", reply)
