"""Tests of a user's own faults: ``check_laws(MyFault)`` holds them to the laws that hold for ours.

It needs hypothesis, which the extra ``search`` brings along. Raises ImportError with these words when it is missing.
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401 - asked for here, so that the words below come first
except ModuleNotFoundError:
    raise ImportError("chaosproxy.testing needs hypothesis: pip install 'chaosproxy[search]'") from None

from chaosproxy.testing.cases import Case
from chaosproxy.testing.laws import LawBroken, check_laws
from chaosproxy.testing.trial import Law, Trial

__all__ = ["Case", "Law", "LawBroken", "Trial", "check_laws"]
