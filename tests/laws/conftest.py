"""``pytest tests/laws --hypothesis-profile=deep`` tries fifty times as many cases."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("deep", max_examples=5000)
