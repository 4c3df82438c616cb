from __future__ import annotations

from benchmarks.hot_spots import PACKAGE, report, room, spots

SITE = "/env/lib/python3.11/site-packages"


def test_a_function_belongs_to_a_room() -> None:
    """Ours by the folder or module of the package, others by their library."""
    files = (
        str(PACKAGE / "proxy" / "pump.py"),
        str(PACKAGE / "events.py"),
        f"{SITE}/aiohttp/web.py",
        "~",
        "/usr/lib/python3.11/asyncio/runners.py",
        "/usr/lib/python3.11/json/decoder.py",
    )

    assert [room(file) for file in files] == [
        "proxy",
        "events",
        "aiohttp",
        "built-in",
        "event loop",
        "standard library",
    ]


def test_times_are_per_event_and_the_dearest_comes_first() -> None:
    """Own time in microseconds, and calls."""
    seen: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = {
        (f"{SITE}/aiohttp/web.py", 7, "cheap"): (1, 50, 0.001, 0.5, {}),
        (str(PACKAGE / "wire" / "sse.py"), 9, "dear"): (1, 200, 0.002, 0.5, {}),
    }

    found = spots(seen, 100)

    assert [(spot.room, spot.name, spot.calls) for spot in found] == [
        ("wire", "sse.py:9 dear", 2.0),
        ("aiohttp", "web.py:7 cheap", 0.5),
    ]
    assert "| wire | sse.py:9 dear | 20.00 | 2.00 |" in list(report(found))
