"""What a toxic is: settings in Toxiproxy's words, and a stage for one direction of one TCP connection.

The stage is fed ``Frame(at, data, RAW)`` for each chunk that was read, ``End`` for the peer's FIN and ``Abort`` for its
RST. It emits Frames, an End (the FIN goes on, in this direction only), ``Abort(at, Cut.FIN)``, which closes the whole
connection after what was let out before, or ``Abort(at, Cut.RESET)``, which resets both ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from random import Random
from typing import Annotated, ClassVar, Self

from pydantic import ValidationError, WithJsonSchema

from chaosproxy.errors import BadValue
from chaosproxy.events import Exchange
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.toxic.byte_stage import ByteStage
from chaosproxy.units import Share


class Direction(Enum):
    """Which half of a connection."""

    UPSTREAM = "upstream"  # what the client sends
    DOWNSTREAM = "downstream"  # what the upstream sends


_SPELT = WithJsonSchema({"type": "string", "enum": [direction.value for direction in Direction]})


class Toxic(Fault):
    """Something done to a TCP connection, whatever it carries."""

    room: ClassVar[Room] = Room.TOXIC
    attribute_units: ClassVar[Mapping[str, float]] = {}
    """Toxiproxy's attributes in its order: one of its whole numbers in the unit of our setting of that name."""

    eats: ClassVar[bool] = False
    """Whether bytes can be missing on the other side."""

    direction: Annotated[Direction, _SPELT] = Direction.DOWNSTREAM
    """upstream: what the client sends; downstream: what it gets."""
    toxicity: Share = 1.0
    """The share of connections that it poisons, drawn when one begins."""

    @classmethod
    def neutral(cls) -> Self:
        """It poisons no connection."""
        return cls(toxicity=0.0)

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, int], *, direction: Direction, toxicity: float) -> Self:
        """The toxic that Toxiproxy's whole numbers mean; attributes that it does not have are ignored.

        Raises BadValue with all that is wrong.
        """
        given = {name: attributes[name] for name in cls.attribute_units if name in attributes}
        if problems := [_negative(name, value) for name, value in given.items() if value < 0]:
            raise BadValue("; ".join(problems))
        settings = {name: _in_unit(value, cls.attribute_units[name]) for name, value in given.items()}
        try:
            return cls(direction=direction, toxicity=toxicity, **settings)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            raise BadValue("; ".join(_sentence(each["loc"], each["msg"]) for each in found)) from None

    def attributes(self) -> dict[str, int]:
        """The inverse of ``from_attributes``: all of them, in Toxiproxy's order."""
        return {name: round(getattr(self, name) / unit) for name, unit in self.attribute_units.items()}

    def poison(self, dice: Random, carried: Stage | None) -> ByteStage:
        """A fresh stage for a poisoned connection."""
        raise NotImplementedError

    def link_stage(self, dice: Random, carried: Stage | None = None) -> Stage | None:
        """A fresh stage for one direction of one connection, or None when the toxicity spares the connection.

        ``carried`` is the stage of the same toxic before an update of its settings.
        """
        if self.toxicity < 1 and dice.random() >= self.toxicity:
            return None
        return self.poison(dice, carried)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """The same as a stage for anything that is carried; one that does nothing for a connection that is spared."""
        return self.link_stage(dice) or ByteStage("the toxicity spared this connection")


def _in_unit(value: int, unit: float) -> float:
    return value if unit == 1 else value * unit


def _negative(name: str, value: int) -> str:
    return f"{name}: expected a whole number of at least 0, got {value}"


def _sentence(loc: tuple[int | str, ...], message: str) -> str:
    words = message.removeprefix("Value error, ")
    return f"{'.'.join(map(str, loc))}: {words[0].lower()}{words[1:]}" if loc else words
