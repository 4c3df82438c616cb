"""Answers that are served again: kept in a Redis by the bytes of the request, and what may be kept at all.

A cache decides about answers for as long as it keeps them: a cut answer that goes in comes out as a whole one, with a
status of 200 and a proper length, long after the upstream is well again. So only what is whole by its dialect goes in.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from chaosproxy.errors import UserError
from chaosproxy.events import Kind
from chaosproxy.lab.gateway.call import Call, Delivery
from chaosproxy.lab.gateway.tally import Tally
from chaosproxy.wire.dialects.base import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it may be served again."""

    status: int
    content_type: str
    body: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """One line of JSON, then the body."""
        head = {"status": self.status, "content_type": self.content_type}
        return json.dumps(head).encode() + b"\n" + self.body

    @classmethod
    def of(cls, data: bytes) -> Kept:
        """The other way round. Raises ValueError, KeyError or TypeError for what nobody of us wrote."""
        head, _, body = data.partition(b"\n")
        said = json.loads(head)
        return cls(int(said["status"]), str(said["content_type"]), body)


def is_whole(dialect: Dialect, kept: Kept) -> bool:
    """Whether it is an answer with content, a finish reason and, when it is streamed, the terminal event."""
    if kept.status != 200:
        return False
    tally = Tally()
    if kept.content_type.startswith("application/json"):
        meanings = [dialect.read_answer(kept.body)]
        meanings = [replace(meaning, kind=meaning.kind | Kind.TERMINAL) for meaning in meanings]
    else:
        splitter = dialect.splitter()
        frames = [*splitter.feed(kept.body), splitter.flush()]
        meanings = [dialect.read_event(frame) for frame in frames if frame]
    for meaning in meanings:
        if meaning.kind & Kind.ERROR:
            return False
        tally.see(meaning)
    return tally.gap() is None


class Redis(Protocol):
    """What is asked of the client library."""

    async def get(self, name: str) -> bytes | None:
        """The value, if there is one."""

    async def set(self, name: str, value: bytes, *, px: int) -> Any:
        """Keep it for so many milliseconds."""

    async def aclose(self) -> None:
        """Give the connections back."""


def connect(url: str) -> Redis:
    """A client that has not connected yet. Raises UserError without the library, or when the URL is none of Redis."""
    try:
        import redis.asyncio as library  # noqa: PLC0415 - only a gateway with a cache needs it
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError:
        raise UserError("lab gateway: a cache needs the Redis client: pip install 'chaosproxy[redis]'") from None
    try:
        client: Redis = library.Redis.from_url(url, retry=Retry(NoBackoff(), 0))
    except ValueError as error:
        raise UserError(f"lab gateway: cache: {error}") from None
    return client


@dataclass(slots=True)
class CacheCounts:
    """Since the start."""

    hits: int = 0
    misses: int = 0
    kept: int = 0
    errors: int = 0
    """Questions that the cache did not answer."""


class AnswerCache:
    """Never the reason for which a call fails: whatever a Redis does wrong, it is one that knows nothing."""

    def __init__(self, client: Redis, *, ttl_s: float, within_s: float) -> None:
        self._client = client
        self._ttl_ms = max(1, round(ttl_s * 1000))
        self._within_s = within_s
        self.counts = CacheCounts()

    async def get(self, call: Call) -> Kept | None:
        """The answer to the same request. Raises CacheFailed."""
        try:
            async with asyncio.timeout(self._within_s):
                data = await self._client.get(_key(call))
            kept = None if data is None else Kept.of(data)
        except Exception as error:
            raise self._failed("cache_unreadable", error) from error
        self.counts.hits += kept is not None
        self.counts.misses += kept is None
        return kept

    async def put(self, call: Call, kept: Kept) -> None:
        """Keep it. Raises CacheFailed."""
        try:
            async with asyncio.timeout(self._within_s):
                await self._client.set(_key(call), kept.to_bytes(), px=self._ttl_ms)
        except Exception as error:
            raise self._failed("cache_unwritable", error) from error
        self.counts.kept += 1

    def _failed(self, what: str, error: Exception) -> CacheFailed:
        self.counts.errors += 1
        log.warning(what, error=type(error).__name__)
        return CacheFailed(f"the cache did not answer ({type(error).__name__})")

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()


class CacheFailed(Exception):
    """The cache did not answer, or with something that is none of ours."""


class Answering(Protocol):
    """How a gateway answers without a cache."""

    async def answer(self, call: Call, delivery: Delivery) -> None:
        """Deliver an answer to the call."""


class Cached:
    """Asks the cache first, and keeps what the upstream's answer is worth."""

    def __init__(
        self,
        inner: Answering,
        cache: AnswerCache,
        worth_keeping: Callable[[Dialect, Kept], bool],
        *,
        lives_without: bool,
    ) -> None:
        self._inner = inner
        self._cache = cache
        self._worth_keeping = worth_keeping
        self._lives_without = lives_without

    async def answer(self, call: Call, delivery: Delivery) -> None:
        """Deliver a kept answer, or a fresh one."""
        if not call.is_chat:
            await self._inner.answer(call, delivery)
            return
        try:
            kept = await self._cache.get(call)
        except CacheFailed as failure:
            if not self._lives_without:
                await delivery.whole(500, *call.dialect.error(500, error_type=None, code=None, message=str(failure)))
                return
            kept = None
        if kept is not None:
            await delivery.whole(kept.status, _head(kept), kept.body)
            return
        delivery.mark("x-cache", "MISS")
        await self._inner.answer(call, delivery)
        await self._keep(call, delivery.passed_on)

    async def _keep(self, call: Call, passed_on: tuple[int, str, bytes] | None) -> None:
        if passed_on is None or not self._worth_keeping(call.dialect, kept := Kept(*passed_on)):
            return
        try:
            await self._cache.put(call, kept)
        except CacheFailed:
            return  # it is counted and said


def _head(kept: Kept) -> list[tuple[str, str]]:
    return [("Content-Type", kept.content_type), ("x-cache", "HIT")]


def _key(call: Call) -> str:
    digest = blake2b(call.path_qs.encode() + b"\0" + call.body, digest_size=16).hexdigest()
    return f"chaosproxy:answer:{digest}"


def told(cache: AnswerCache | None) -> dict[str, Any]:
    """What /stats says of it."""
    return {} if cache is None else {"cache": asdict(cache.counts)}
