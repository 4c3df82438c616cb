"""How long an answer asks to wait."""

from __future__ import annotations

import pytest

from chaosproxy.events import Headers
from chaosproxy.proxy.headers import by_name
from chaosproxy.proxy.retry_after import retry_after_s

NOON = 1795262400.0  # Sat, 21 Nov 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((), None),
        ((("Retry-After", "3"),), 3.0),
        ((("retry-after", "0.5"),), 0.5),
        ((("retry-after", "3"), ("retry-after-ms", "250")), 0.25),
        ((("retry-after", "soon"),), None),
        ((("retry-after", "-1"),), None),
        ((("retry-after", "inf"),), None),
        ((("retry-after", "Sat, 21 Nov 2026 12:00:30 GMT"),), 30.0),
        ((("retry-after", "Sat, 21 Nov 2026 11:00:00 GMT"),), 0.0),
        ((("date", "Sat, 21 Nov 2026 12:00:20 GMT"), ("retry-after", "Sat, 21 Nov 2026 12:00:30 GMT")), 10.0),
    ],
)
def test_every_spelling(headers: Headers, seconds: float | None) -> None:
    """Milliseconds before seconds before dates, a date against the answer's own clock; nonsense is None."""
    assert retry_after_s(by_name(headers), NOON) == seconds
