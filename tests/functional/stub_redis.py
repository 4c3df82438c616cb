"""What stands in for a Redis: one that works, and one that never does."""

from __future__ import annotations

from typing import Any


class StubRedis:
    """Keeps values in a dictionary; ``lasts_ms`` is how long each was to be kept."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.lasts_ms: dict[str, int] = {}

    async def get(self, name: str) -> bytes | None:
        return self.values.get(name)

    async def set(self, name: str, value: bytes, *, px: int) -> Any:
        self.values[name] = value
        self.lasts_ms[name] = px

    async def aclose(self) -> None:
        self.values.clear()


class BrokenRedis(StubRedis):
    """Fails whatever it is asked."""

    async def get(self, name: str) -> bytes | None:
        raise ConnectionError

    async def set(self, name: str, value: bytes, *, px: int) -> Any:
        raise ConnectionError
