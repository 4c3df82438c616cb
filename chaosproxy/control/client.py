"""The other end of the control API: what a runner uses, for its own proxy as for one that somebody else started."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import ValidationError

from chaosproxy import __version__
from chaosproxy.control.messages import (
    ActiveFault,
    Apply,
    Faults,
    Halt,
    Inject,
    Lock,
    Message,
    OpenExchanges,
    Programme,
    Renew,
    Scope,
    Status,
)
from chaosproxy.errors import PartFailed
from chaosproxy.journal.records import AnyRecord, from_values
from chaosproxy.journal.traffic import Underway
from chaosproxy.plan.rule import Rule

ANSWER_S = 10.0
"""How long the proxy may take to answer a command."""
LINE_BYTES_MAX = 1024 * 1024
"""The longest record that is read."""
SILENCE_S = 15.0
"""Events, or signs of life, come more often."""
PATIENCE_S = 1.0
"""How long a lost connection to the events is tried to be found again."""
RECONNECT_PAUSE_S = 0.2
_NO_SUCH_PATH = (404, 405)
_BUSY = 429
_WAITS_MAX = 5
_Told = TypeVar("_Told", bound=Message)


class ControlClient:
    """Drives one proxy; use it as an async context manager. All methods raise PartFailed, in words."""

    def __init__(self, url: str, token: str | None = None, *, answer_s: float = ANSWER_S) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._answer_s = answer_s
        self._session: aiohttp.ClientSession | None = None
        self.last_event = ""
        """The id of the newest event that was read."""

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._answer_s)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout, read_bufsize=LINE_BYTES_MAX)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def apply(
        self, owner: str, rules: Sequence[Rule], *, lease_s: float, seed: int, scope: Scope | None = None
    ) -> None:
        """Make ``rules`` the whole set of ``owner``; they end by themselves after ``lease_s`` without a renewal.

        A ``scope`` is claimed with the same lease.
        """
        wanted = Apply(rules=tuple(rules), lease=lease_s, seed=seed, scope=scope)
        await self._say("PUT", _owner(owner), wanted)

    async def renew(self, owner: str, *, lease_s: float) -> None:
        """Prolong the leases of ``owner``."""
        await self._say("POST", f"{_owner(owner)}/renew", Renew(lease=lease_s))

    async def clear(self, owner: str | None = None) -> None:
        """End all faults of ``owner``, or of everybody."""
        await self._say("DELETE", "/v1/owners" if owner is None else _owner(owner))

    async def announce(self, owner: str, programme: Programme) -> None:
        """Say what a run with a claim is about, for those who watch."""
        await self._say("PUT", f"{_owner(owner)}/programme", programme)

    async def inject(self, wanted: Inject) -> ActiveFault:
        """One more fault."""
        return await self._told(ActiveFault, "POST", "/v1/faults", wanted)

    async def heal(self, fault_id: str) -> None:
        """End one fault, whoever owns it."""
        await self._say("DELETE", f"/v1/faults/{quote(fault_id, safe='')}")

    async def faults(self) -> tuple[ActiveFault, ...]:
        """All that are active."""
        return (await self._told(Faults, "GET", "/v1/faults")).faults

    async def lock(self, why: str) -> str:
        """End all faults and refuse new ones; why they are refused now."""
        return (await self._told(Halt, "PUT", "/v1/lock", Lock(why=why))).halted

    async def unlock(self) -> str:
        """Take the lock away; why faults are refused still, or nothing."""
        return (await self._told(Halt, "DELETE", "/v1/lock")).halted

    async def status(self) -> Status:
        """Listeners, active faults and clocks."""
        return await self._told(Status, "GET", "/v1/status")

    async def underway(self) -> list[Underway]:
        """The exchanges that have begun and not ended."""
        said = await self._told(OpenExchanges, "GET", "/v1/exchanges")
        return [Underway(at=said.mono, **exchange.model_dump()) for exchange in said.exchanges]

    async def active(self, owner: str) -> list[str]:
        """The ids of the owner's faults that are active now."""
        return [fault.id for fault in await self.faults() if fault.owner == owner]

    async def events(self, after: str = "", *, patience_s: float = PATIENCE_S) -> AsyncIterator[AnyRecord]:
        """All records behind the id ``after``, as they come, until the proxy ends. Reconnects where it was.

        A lost connection is given up after ``patience_s``.
        """
        loop = asyncio.get_running_loop()
        heard_at, coming = loop.time(), after
        while True:
            try:
                async with self._open(f"/v1/events?after={quote(after)}") as answer:
                    heard_at = loop.time()
                    async for line in answer.content:
                        heard_at = loop.time()
                        if line.startswith(b"id: "):
                            coming = line[4:].strip().decode()
                        elif line.startswith(b"data: "):
                            record = from_values(json.loads(line[6:]))
                            after = self.last_event = coming  # not before: the connection may end between the two
                            yield record
                    return
            except (aiohttp.ClientError, OSError) as error:
                if loop.time() - heard_at > patience_s:
                    raise self._unreachable(error) from error
                await asyncio.sleep(RECONNECT_PAUSE_S)

    def _open(self, path: str) -> aiohttp.client._RequestContextManager:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._answer_s, sock_read=SILENCE_S)
        return self._connected.get(self._url + path, timeout=timeout, raise_for_status=True)

    @property
    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise PartFailed("this control client was closed")
        return self._session

    async def _told(self, kind: type[_Told], method: str, path: str, message: Message | None = None) -> _Told:
        said = await self._say(method, path, message)
        try:
            return kind.model_validate(said)
        except ValidationError:
            words = f"what answers at {self._url} is no control API of chaosproxy {__version__}"
            raise PartFailed(f"{words}: its answer to {method} {path} has another form") from None

    async def _say(self, method: str, path: str, message: Message | None = None) -> Any:
        body = message.model_dump_json() if message is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        for _ in range(_WAITS_MAX):
            try:
                async with self._connected.request(method, self._url + path, data=body, headers=headers) as answer:
                    said = await self._json_of(answer)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise self._unreachable(error) from error
            if answer.status != _BUSY:
                break
            await asyncio.sleep(min(float(answer.headers.get("Retry-After", "1")), self._answer_s))
        if answer.status >= 400:
            why = said.get("error", answer.status) if isinstance(said, dict) else answer.status
            if answer.status in _NO_SUCH_PATH and not isinstance(why, str):  # our own refusals have their words
                raise self._no_api()
            raise PartFailed(f"the proxy at {self._url} refused: {why}")
        return said

    async def _json_of(self, answer: aiohttp.ClientResponse) -> Any:
        try:
            return await answer.json()
        except (aiohttp.ContentTypeError, ValueError):
            if answer.status < 400 or answer.status in _NO_SUCH_PATH:
                raise self._no_api() from None
            raise  # something in between may have answered, for a proxy that is away

    def _no_api(self) -> PartFailed:
        return PartFailed(f"no control API of chaosproxy answers at {self._url}; look for the one that serve prints")

    def _unreachable(self, error: Exception) -> PartFailed:
        return PartFailed(f"the proxy at {self._url} cannot be reached: {str(error) or type(error).__name__}")


def _owner(owner: str) -> str:
    return f"/v1/owners/{quote(owner, safe='')}"
