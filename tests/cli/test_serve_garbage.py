"""What ``chaosproxy serve`` asks of Python's garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from chaosproxy.cli.serve import GC_THRESHOLDS, _spare_the_start


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_what_start_up_made_is_never_looked_at_again() -> None:
    """Everything that is there when the proxy is ready is left out of all later collections."""
    gc.unfreeze()
    kept = [object()]
    _spare_the_start()

    assert gc.get_freeze_count() > 0
    assert not any(kept is known for known in gc.get_objects())
    assert gc.get_threshold() == GC_THRESHOLDS
