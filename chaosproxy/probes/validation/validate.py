"""The validation of one server: wait for it, call it, read its metrics and its log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from chaosproxy.probes.validation.calls import Called, call_all
from chaosproxy.probes.validation.consistency import PAGES, Check, consistency, page_check
from chaosproxy.probes.validation.server_log import ServerLog, log_check

POLL_S = 0.2
PAGE_BYTES_MAX = 1024 * 1024
PARTIAL = 0.9
"""From this share of passed checks on the verdict is partial."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to validate. Times in seconds; ``metrics_url`` None: its metrics are not looked at."""

    url: str
    metrics_url: str | None
    server_timeout_s: float = 45.0
    request_timeout_s: float = 15.0
    min_success: float = 1.0
    """The share of calls that has to succeed; below 1 a failed call is no failed check of its own."""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    log: ServerLog | None = None


@dataclass(slots=True)
class Validation:
    """What was found; it grows while the validation goes on."""

    wanted: Wanted
    called: list[Called] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def passed(self) -> int:
        """Calls count as checks, unless some of them may fail."""
        return sum(check.ok for check in self.checks) + sum(not call.flaws for call in self._counted)

    @property
    def total(self) -> int:
        """All checks."""
        return len(self.checks) + len(self._counted)

    @property
    def _counted(self) -> list[Called]:
        return self.called if self.wanted.min_success >= 1 else []

    @property
    def verdict(self) -> str:
        """``pass``, ``partial`` (90 to 99 %) or ``fail``."""
        if not self.total or self.passed < self.total * PARTIAL:
            return "fail"
        return "pass" if self.passed == self.total else "partial"

    @property
    def summary(self) -> str:
        """One line."""
        streamed = [not call.flaws for call in self.called if call.wish.stream]
        plain = [not call.flaws for call in self.called if not call.wish.stream]
        mean_s = sum(call.took_s for call in self.called) / len(self.called) if self.called else 0.0
        share = self.passed / self.total if self.total else 0.0
        return (
            f"{self.passed}/{self.total} checks, pass rate {share:.1%}, {self.took_s:.1f} s; streamed {sum(streamed)}/"
            f"{len(streamed)}, plain {sum(plain)}/{len(plain)}, mean {mean_s:.3f} s"
        )


async def validate(validation: Validation) -> AsyncIterator[Called | Check]:
    """Everything that was looked at, as it is known."""
    wanted, clock = validation.wanted, asyncio.get_running_loop().time
    began = clock()
    fields = {"content-type": "application/json", "accept-encoding": "identity", **wanted.headers}
    timeout = aiohttp.ClientTimeout(total=wanted.request_timeout_s)
    async with aiohttp.ClientSession(headers=fields, timeout=timeout) as session:
        if not await _is_there(session, wanted):
            validation.checks.append(Check("server", ok=False, detail=f"absent after {wanted.server_timeout_s:g} s"))
            yield validation.checks[-1]
            return
        if wanted.log is not None:
            await wanted.log.begin()
        before = await _page(session, wanted.metrics_url, "/metrics") if wanted.metrics_url else None
        async with aclosing(call_all(session, wanted.url)) as calls:
            async for call in calls:
                validation.called.append(call)
                yield call
        for check in await _checks(session, validation, before):
            validation.checks.append(check)
            yield check
    validation.took_s = clock() - began


async def _checks(session: aiohttp.ClientSession, validation: Validation, before: Any) -> list[Check]:
    wanted, asked = validation.wanted, len(validation.called)
    checks = [await _unknown_path(session, wanted.url)]
    if wanted.min_success < 1:
        share = sum(not call.flaws for call in validation.called) / asked
        checks.append(Check("calls", share >= wanted.min_success, f"{share:.0%} succeeded"))
    if wanted.metrics_url is not None:
        checks += await _metrics_checks(session, wanted.metrics_url, asked + 1, before)
    if wanted.log is not None:
        checks.append(await log_check(wanted.log))
    return checks


async def _metrics_checks(session: aiohttp.ClientSession, url: str, asked: int, before: Any) -> list[Check]:
    pages = {path: await _page(session, url, path) for path in PAGES}
    checks = [page_check(path, page) for path, page in pages.items()]
    if all(check.ok for check in [*checks, page_check("/metrics", before)]):
        checks += consistency(pages, asked, before)
    return checks


async def _unknown_path(session: aiohttp.ClientSession, url: str) -> Check:
    """It passes, and what comes back is an answer, if only a 404."""
    try:
        async with session.get(f"{url.rstrip('/')}/v1/no-such-page") as response:
            return Check("unknown path", response.status < 500, f"status {response.status}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Check("unknown path", ok=False, detail=type(error).__name__)


async def _is_there(session: aiohttp.ClientSession, wanted: Wanted) -> bool:
    """Wait until it answers anything."""
    try:
        async with asyncio.timeout(wanted.server_timeout_s):
            while True:
                try:
                    async with session.get(f"{wanted.url.rstrip('/')}/health"):
                        return True
                except (aiohttp.ClientError, TimeoutError, OSError):
                    await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False


async def _page(session: aiohttp.ClientSession, url: str, path: str) -> Any:
    """The JSON of a page, or in words why there is none."""
    try:
        async with session.get(url.rstrip("/") + path, headers={"accept": "application/json"}) as response:
            text = await response.content.read(PAGE_BYTES_MAX)
            return json.loads(text) if response.status == 200 else f"status {response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return type(error).__name__
    except ValueError:
        return "not JSON"
