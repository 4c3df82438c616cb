from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.peers import toxiproxy
from tests.twin.twin_kit import Twins, ours, real


@pytest.fixture(scope="session")
def reference() -> None:
    """Skip where the real server is not there."""
    if toxiproxy().missing:
        pytest.skip(f"no real Toxiproxy server: {toxiproxy().missing}")


@pytest.fixture(scope="session")
def shared_twins(reference: None) -> Iterator[Twins]:
    """Both servers, for all tests of a worker."""
    with real("-proxy-metrics") as theirs, ours("-proxy-metrics") as mine:
        yield Twins(theirs, mine)


@pytest.fixture
def twins(shared_twins: Twins) -> Iterator[Twins]:
    """Both servers without a proxy."""
    yield shared_twins
    shared_twins.clean()
