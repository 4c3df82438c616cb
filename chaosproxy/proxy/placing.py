"""What a rule that acts below HTTP does to one connection: byte stages in its two directions."""

from __future__ import annotations

from collections.abc import Iterator

from chaosproxy.dice import Dice
from chaosproxy.faults.admission.live_stream import Live
from chaosproxy.faults.admission.partition import Partition
from chaosproxy.faults.base import Stage
from chaosproxy.faults.toxic.base import Direction, Toxic
from chaosproxy.plan.plan import Active

BOTH = (Direction.UPSTREAM, Direction.DOWNSTREAM)
_LOST = {"lost_request": (Direction.UPSTREAM,), "lost_response": (Direction.DOWNSTREAM,)}
"""Which directions a one-way partition holds up."""


def stages_of(active: Active, connection: str, *, is_open: bool) -> Iterator[tuple[Direction, Stage]]:
    """The stages of a rule for a connection, ``LISTENER#NUMBER``; none when its toxicity spares the connection.

    ``is_open``: the connection was there when the rule began to act. All chance comes from the owner's seed, the rule's
    id, the connection and the direction.
    """
    rule = active.rule
    match rule.do:
        case Toxic() as toxic:
            key = f"{connection}/{toxic.direction.value}"
            if (stage := toxic.link_stage(Dice(active.seed).throw(rule.id, key))) is not None:
                yield toxic.direction, stage
        case Partition() as partition:
            yield from _parted(partition, is_open=is_open)
        case _:
            if is_open and rule.streams == "all":
                yield Direction.DOWNSTREAM, Live("cut")


def _parted(partition: Partition, *, is_open: bool) -> Iterator[tuple[Direction, Stage]]:
    """Bytes wait, as TCP sends again what was lost."""
    if is_open and partition.live_streams == "keep":
        return
    if is_open and partition.live_streams == "cut":
        yield Direction.DOWNSTREAM, Live("cut")
        return
    for direction in _LOST.get(partition.mode, BOTH):
        yield direction, Live("stall")
