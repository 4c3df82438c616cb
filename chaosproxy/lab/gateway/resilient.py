"""The resilient gateway: asks upstreams until one answers, and tells the client the truth about what came.

    round 1:  primary -- fails --> secondary -- fails --> pause (jitter, Retry-After)     round 2: ...
                  '-- first content reaches the client: from here on there is only this upstream, or an error event

What it does at the points where others go wrong is its Behaviour.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence

import structlog

from chaosproxy.errors import UpstreamFailed
from chaosproxy.lab.gateway.attempt import Attempts
from chaosproxy.lab.gateway.call import Call, Delivery
from chaosproxy.lab.gateway.health import Admission
from chaosproxy.lab.gateway.schedule import Pauses
from chaosproxy.lab.gateway.upstream import Refused, Upstream

log = structlog.get_logger(__name__)


class Resilient:
    """Answers calls, one after another or at once; deadlines are moments of the running loop's clock."""

    def __init__(self, attempts: Attempts, upstreams: Sequence[Upstream], pauses: Pauses) -> None:
        self._attempts = attempts
        self._settings = attempts.settings
        self._behaviour = attempts.behaviour
        self._upstreams = self._behaviour.route(upstreams)
        self._pauses = pauses
        self._clock = asyncio.get_running_loop().time

    async def answer(self, call: Call, delivery: Delivery) -> None:
        """Deliver an answer: whole, or an honest error."""
        total_due = self._clock() + self._settings.total
        failures: dict[str, UpstreamFailed] = {}
        for ordinal in range(self._settings.retries + 1):
            if not await self._pause(ordinal, total_due):
                break
            if await self._round(call, delivery, failures, total_due):
                return
        await self._fail(call, delivery, failures)

    async def _pause(self, ordinal: int, total_due: float) -> bool:
        """Wait before a round, longer when every upstream wants to rest; False when that would take too long."""
        rest_s = self._rest_s()
        wait_s = rest_s + (self._pauses.before_retry(max(1, ordinal)) if ordinal or rest_s else 0.0)
        if rest_s > self._settings.backoff_max or self._clock() + wait_s > total_due:
            return False
        await asyncio.sleep(wait_s)
        return True

    def _rest_s(self) -> float:
        """How long until one upstream may be asked."""
        return max(0.0, min(upstream.resting_until for upstream in self._upstreams) - self._clock())

    async def _round(
        self, call: Call, delivery: Delivery, failures: dict[str, UpstreamFailed], total_due: float
    ) -> bool:
        """Ask each upstream that may be asked, until one answers; whether the client has its answer."""
        previous: Upstream | None = None
        for upstream, admission in self._admitted():
            if previous is not None:
                previous.counts.fallbacks += 1
            upstream.counts.retries += upstream.name in failures
            plain = self._settings.plain_retry and upstream.name in failures
            try:
                await self._attempt(call, upstream, admission, delivery, total_due, plain=plain)
            except UpstreamFailed as failure:
                failures[upstream.name] = failure
                if self._clock() >= total_due or not self._behaviour.may_ask_again(delivery.begun):
                    await self._fail(call, delivery, failures)
                    return True
            else:
                return True
            previous = upstream
        return False

    def _admitted(self) -> Iterator[tuple[Upstream, Admission]]:
        """Upstreams in order; the unhealthy ones only when there is no other."""
        asked = False
        ordered = self._behaviour.order(self._upstreams)
        for upstream in ordered:
            if not upstream.readiness.ready or upstream.resting_until > self._clock():
                continue
            if admission := upstream.health.admit(self._clock()):
                asked = True
                yield upstream, admission
        if not asked:
            for upstream in self._behaviour.last_hope(ordered):
                if upstream.resting_until <= self._clock():
                    yield upstream, Admission.NORMAL

    async def _attempt(
        self, call: Call, upstream: Upstream, admission: Admission, delivery: Delivery, total_due: float, *, plain: bool
    ) -> None:
        """One attempt, and what it says about the upstream; a client that leaves says nothing."""
        upstream.counts.requests += 1
        healthy: bool | None = None
        try:
            if await self._attempts.make(call, upstream, admission, delivery, total_due=total_due, plain=plain):
                healthy = True
        except UpstreamFailed as failure:
            healthy = self._note(upstream, failure)
            raise
        finally:
            self._judge(upstream, admission, healthy=healthy)

    def _note(self, upstream: Upstream, failure: UpstreamFailed) -> bool | None:
        """Count a failure and take a rest that was asked for. A reached limit is no sign of bad health."""
        upstream.counts.failures += 1
        log.info("upstream_failed", upstream=upstream.name, kind=failure.kind, reason=str(failure))
        if not isinstance(failure, Refused):
            return False
        if failure.retry_after_s is not None:
            rest_s = self._behaviour.rest_s(failure.retry_after_s)
            upstream.resting_until = max(upstream.resting_until, self._clock() + rest_s)
        return None if failure.only_busy else False

    def _judge(self, upstream: Upstream, admission: Admission, *, healthy: bool | None) -> None:
        was_healthy = upstream.health.healthy
        match healthy:
            case True:
                upstream.health.succeeded(admission, self._clock())
            case False:
                upstream.health.failed(admission, self._clock())
            case None:
                upstream.health.abandoned(admission)
        if upstream.health.healthy is not was_healthy:
            log.warning("upstream_health", upstream=upstream.name, healthy=upstream.health.healthy)

    async def _fail(self, call: Call, delivery: Delivery, failures: Mapping[str, UpstreamFailed]) -> None:
        """Tell the client why there is no answer, or no more of it: then as an event, and without the terminal one."""
        nobody = "all upstreams are resting" if self._rest_s() > 0 else "no upstream is healthy"
        reasons = "; ".join(f"{name}: {failure}" for name, failure in failures.items()) or nobody
        if delivery.begun:
            await delivery.send(call.dialect.error_event(None, f"The answer is not complete. {reasons}"))
            await delivery.finish()
            return
        status = _status(list(failures.values())) if failures or self._rest_s() > 0 else 503
        headers, body = call.dialect.error(status, error_type=None, code=None, message=f"No answer. {reasons}")
        if (rest_s := self._rest_s()) > 0:
            headers = (*headers, ("retry-after", str(math.ceil(rest_s))))
        await delivery.whole(status, headers, body)


def _status(failures: Sequence[UpstreamFailed]) -> int:
    """The status that says best why everybody failed."""
    if all(isinstance(failure, Refused) and failure.only_busy for failure in failures):
        return 429
    last = failures[-1]
    if isinstance(last, Refused):
        return last.status
    return 504 if last.kind == UpstreamFailed.TIMEOUT else 502
