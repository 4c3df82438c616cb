"""An answer of ours, in the upstream's place."""

from __future__ import annotations

from http import HTTPStatus
from random import Random
from typing import ClassVar

from chaosproxy.events import RAW, Abort, Cut, End, Exchange, Frame, Framing, Head, Headers, Travelling
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.stages import Instead


def answer(at: float, exchange: Exchange, status: int, headers: Headers, body: bytes) -> list[Travelling]:
    """A whole plain answer at one moment; without a body when the request was a HEAD."""
    measured = (*headers, ("content-length", str(len(body))))
    framing = Framing.EMPTY if exchange.method == "HEAD" else Framing.LENGTH
    frames = [Frame(at, body, RAW)] if body and framing is Framing.LENGTH else []
    return [Head(at, status, phrase(status), measured, framing), *frames, End(at)]


class OwnAnswer(Fault):
    """Answer in the upstream's place."""

    room: ClassVar[Room] = Room.ADMISSION
    no_neutral: ClassVar[str | None] = "it always answers instead of the upstream"

    @property
    def stops_upstream(self) -> bool:
        """The answer is ours."""
        return True

    def reply(self, exchange: Exchange) -> tuple[int, Headers, bytes]:
        """Status, header fields and body."""
        raise NotImplementedError

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        status, headers, body = self.reply(exchange)

        def replied(at: float) -> list[Travelling]:
            return answer(at, exchange, status, headers, body)

        return Instead(exchange, f"answered {status}", replied)


def reset(at: float) -> list[Travelling]:
    """No answer but an RST."""
    return [Abort(at, Cut.RESET)]


def phrase(status: int) -> str:
    """The usual words of a status; empty for one that has none."""
    return next((known.phrase for known in HTTPStatus if known == status), "")


def merged(headers: Headers, extra: dict[str, str]) -> Headers:
    """``headers`` with those of ``extra``, which take the place of equal names."""
    replaced = {name.lower() for name in extra}
    return (*(pair for pair in headers if pair[0].lower() not in replaced), *extra.items())
