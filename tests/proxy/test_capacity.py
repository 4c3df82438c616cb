"""How many client connections a proxy takes."""

from __future__ import annotations

import resource

import pytest
from structlog.testing import capture_logs

from chaosproxy.proxy.capacity import FILES_KEPT, MOST, TURNED_AWAY, Capacity, allow_files


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The soft and the hard limit of file descriptors, as this process sees and sets them."""
    limits = [1024, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.__setitem__(slice(None), wanted))
    return limits


@pytest.mark.parametrize(
    ("soft", "asked", "limit"),
    [
        (1024, None, (1024 - FILES_KEPT) // 2),
        (1024, 100, 100),
        (1024, 448, 448),
        (1024, 449, 448),
        (resource.RLIM_INFINITY, None, MOST),
        (resource.RLIM_INFINITY, 50_000, 50_000),
        (10**6, None, MOST),
        (10**6, 50_000, 50_000),
        (20, None, 1),
    ],
)
def test_the_limit_follows_the_descriptors(files: list[int], soft: int, asked: int | None, limit: int) -> None:
    """Two for each connection and some kept back; nobody gets more than that, and only who asks more than MOST."""
    files[0] = soft

    assert Capacity(asked).limit == limit


def test_who_asks_for_too_many_is_told_the_number(files: list[int]) -> None:
    """And how to get more; the default is never complained about."""
    with capture_logs() as logs:
        Capacity(None)
        Capacity(448)
    assert logs == []

    with capture_logs() as logs:
        Capacity(1000)
    (line,) = logs
    assert (line["log_level"], line["event"], line["asked"], line["allowed"]) == (
        "warning",
        "connections_max",
        1000,
        448,
    )
    assert "1024 file descriptors" in line["explanation"]


def test_places_are_free_again(files: list[int]) -> None:
    """Each that leaves makes room for one."""
    capacity = Capacity(2)

    assert [capacity.admit(9) for _ in range(3)] == [True, True, False]
    capacity.left()
    assert [capacity.admit(9) for _ in range(2)] == [True, False]


def test_no_more_are_turned_away_at_once_than_there_are_descriptors_for(files: list[int]) -> None:
    """Then the next one waits, until somebody has gone, of either kind."""
    capacity = Capacity(1)
    capacity.admit(9)
    for _ in range(TURNED_AWAY):
        assert not capacity.crowded
        capacity.admit(9)

    assert capacity.crowded
    capacity.turned_away()
    assert not capacity.crowded
    capacity.admit(9)
    capacity.left()
    assert not capacity.crowded


def test_a_descriptor_near_the_limit_is_turned_away(files: list[int]) -> None:
    """The kernel gives the lowest free one: nearly all are taken, whoever holds them."""
    capacity = Capacity(None)

    assert capacity.admit(1024 - FILES_KEPT + TURNED_AWAY)
    assert not capacity.admit(1024 - FILES_KEPT + TURNED_AWAY + 1)


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "after"),
    [
        (1024, 10**6, None, 2 * MOST + FILES_KEPT),
        (1024, 4096, None, 4096),
        (1024, resource.RLIM_INFINITY, 1000, 2000 + FILES_KEPT),
        (10**6, 10**6, None, 10**6),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, resource.RLIM_INFINITY),
        (1024, 4096, 10, 1024),
    ],
)
def test_a_process_takes_the_descriptors_that_it_needs(
    files: list[int], soft: int, hard: int, asked: int | None, after: int
) -> None:
    """Up to the hard limit, and never fewer than it had."""
    files[:] = [soft, hard]
    allow_files(asked)

    assert files == [after, hard]
