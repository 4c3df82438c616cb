from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.peers import toxiproxy
from tests.twin.twin_kit import SEED, Twins, ours, real, running


@pytest.fixture(scope="session")
def reference() -> None:
    """Skip where the real server is not there."""
    if toxiproxy().missing:
        pytest.skip(f"no real Toxiproxy server: {toxiproxy().missing}")


@pytest.fixture(scope="session")
def shared_twins(reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Both servers, for all tests of a worker. Their file is wrong, and they start all the same."""
    bad = tmp_path_factory.mktemp("twins") / "toxiproxy.json"
    bad.write_text('[{"name":"a","upstream":"u"},{"name":"b"}]', encoding="utf-8")
    flags = ("-proxy-metrics", "-seed", SEED, "-config", str(bad))
    with running(real(*flags), ours(*flags)) as (theirs, mine):
        yield Twins(theirs, mine)


@pytest.fixture
def twins(shared_twins: Twins) -> Iterator[Twins]:
    """Both servers without a proxy."""
    yield shared_twins
    shared_twins.clean()
