"""What an exchange leaves behind when it is over."""

from __future__ import annotations

import asyncio
import gc
import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.pump import Pump
from tests.functional.wire_kit import (
    LAST_CHUNK,
    SSE_HEAD,
    answers,
    ask,
    bench,
    call,
    chunk,
    events,
    plain,
    stream,
)

PACKED = SSE_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
PACKED += chunk(gzip.compress(b"".join(events(3)))) + LAST_CHUNK


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _pumps() -> int:
    return sum(isinstance(each, Pump) for each in gc.get_objects())


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("answer", [plain(b"{}"), stream(events(3)), PACKED], ids=["plain", "streamed", "gzip"])
@pytest.mark.parametrize("fault", [None, {"type": "stream.truncate", "where": "event:1"}], ids=["passes", "cut"])
async def test_an_exchange_is_freed_at_once(answer: Any, fault: dict[str, Any] | None) -> None:
    """Without the garbage collector: a full collection would stall all other streams."""
    before = _pumps()
    async with bench(answers(answer)) as at:
        if fault is not None:
            rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": fault})
            at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        await call(at.url, ask())
        await at.journal.exchange()
        async with asyncio.timeout(5):
            while _pumps() > before:  # noqa: ASYNC110 - nothing tells that an object is gone
                await asyncio.sleep(0)
