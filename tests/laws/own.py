"""The laws for our own faults: those for everybody, and what each of ours promises."""

from __future__ import annotations

from hypothesis import settings

from chaosproxy import testing
from chaosproxy.faults.base import Fault
from tests.laws.promises import ROOM_LAWS


def check_laws(fault: Fault, examples: int | None = None) -> None:
    """Try them on random cases. Raises LawBroken.

    ``examples`` is their number; None: a part of the active hypothesis profile's, so ``deep`` goes deeper.
    """
    count = examples or max(1, settings().max_examples // 8)
    testing.check_laws(fault, laws=ROOM_LAWS[fault.room], examples=count)
