"""ws.delay: the messages come late."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, Self

from pydantic import model_validator

from chaosproxy.events import Exchange, Frame, Hit, Incoming, Outgoing, Travelling, moved
from chaosproxy.faults.base import Room, Stage
from chaosproxy.faults.stages import passing
from chaosproxy.faults.timing.delay import Law
from chaosproxy.faults.websocket.messages import MessageFault, Messages, without_messages
from chaosproxy.units import Duration, format_duration


class WsDelay(MessageFault):
    """Delay each message of a WebSocket; they stay in their order, pings included."""

    type: ClassVar[str] = "ws.delay"
    room: ClassVar[Room] = Room.TIMING
    symptom: ClassVar[str] = "messages of a WebSocket come late: audio stutters, events lag behind"
    timeline: ClassVar[str] = "upstream  101 m m m end\nclient    101 ... m ... m ... m end"

    mean: Duration = 0.5
    """How late on average."""
    jitter: Duration = 0.0
    """Half the width of the uniform distribution, at most the mean."""

    @model_validator(mode="after")
    def _makes_sense(self) -> WsDelay:
        if self.jitter > self.mean:
            jitter, mean = format_duration(self.jitter), format_duration(self.mean)
            raise ValueError(f"the jitter ({jitter}) is at most the mean ({mean})")
        return self

    @classmethod
    def neutral(cls) -> Self:
        """No delay."""
        return cls(mean=0.0)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One draw per message."""
        return Delayed(Law(self.mean, self.jitter), dice, exchange)


class Delayed:
    """Each message later by a draw, and nothing before what came before it."""

    def __init__(self, law: Law, dice: Random, exchange: Exchange) -> None:
        self._law = law
        self._dice = dice
        self._seen = exchange.seen
        self._messages = Messages()
        self._message_late_s = 0.0
        self._last_at = 0.0
        self._missed = False
        self._hit = False

    def feed(self, event: Incoming) -> Sequence[Outgoing]:
        if self._missed:
            return passing(event)
        emitted: list[Outgoing] = [moved(each, self._due_at(each)) for each in passing(event)]
        if self._hit:
            return emitted
        if self._last_at > event.at:
            self._hit = True
            return [Hit(event.at, f"messages {self._law} later"), *emitted]
        miss = without_messages(self._seen, event, "no message was delayed")
        if miss is None:
            return emitted
        self._missed = True
        return [miss, *emitted]

    def _due_at(self, event: Travelling) -> float:
        late_s = 0.0
        if isinstance(event, Frame):
            part = self._messages.read(event)
            if part.begins:
                self._message_late_s = self._law.draw_s(self._dice)
            late_s = self._message_late_s if part.number else 0.0
        self._last_at = max(self._last_at, event.at + late_s)
        return self._last_at
