"""For tests: ``check_laws(MyFault)`` holds a user's own fault to the laws that hold for ours, ``@chaos_given`` searches
for faults that break a client, and in ``virtual_time()`` a timeout of a minute takes a millisecond.

It needs hypothesis, which the extra ``search`` brings along. Raises ImportError with these words when it is missing.
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401 - asked for here, so that the words below come first
except ModuleNotFoundError:
    raise ImportError("chaosproxy.testing needs hypothesis: pip install 'chaosproxy[search]'") from None

from chaosproxy.testing.cases import Case
from chaosproxy.testing.clock import virtual_time
from chaosproxy.testing.given import chaos_given
from chaosproxy.testing.laws import LawBroken, check_laws
from chaosproxy.testing.trial import Law, Trial

__all__ = ["Case", "Law", "LawBroken", "Trial", "chaos_given", "check_laws", "virtual_time"]
