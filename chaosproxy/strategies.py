"""Hypothesis strategies for faults, plans of faults and whole experiments, over the whole catalogue.

They need hypothesis, which the extra ``search`` brings along. Raises ImportError with these words when it is missing.
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401 - asked for here, so that the words below come first
except ModuleNotFoundError:
    raise ImportError("chaosproxy.strategies needs hypothesis: pip install 'chaosproxy[search]'") from None

from chaosproxy.search.strategies import experiments, faults, plans

__all__ = ["experiments", "faults", "plans"]
