"""The laws for our own faults: those for everybody, and what each of ours promises."""

from __future__ import annotations

from functools import wraps

from hypothesis import settings

from chaosproxy import testing
from chaosproxy.faults.base import Fault
from chaosproxy.testing.trial import Law, Trial
from tests.laws.promises import ROOM_LAWS


def check_laws(fault: Fault, examples: int | None = None) -> None:
    """Try them on random cases. Raises LawBroken.

    ``examples`` is their number; None: a part of the active hypothesis profile's, so ``deep`` goes deeper.
    """
    count = examples or max(1, settings().max_examples // 8)
    testing.check_laws(fault, laws=[_comparable(law) for law in ROOM_LAWS[fault.room]], examples=count)


def _comparable(law: Law) -> Law:
    """What is so different that a promise cannot even be compared with it breaks that promise."""

    @wraps(law)
    def compared(fault: Fault, done: Trial) -> str | None:
        try:
            return law(fault, done)
        except (IndexError, ValueError) as error:
            return f"nothing to compare with ({error}): {done.out}"

    return compared
