"""The other end of the control API: what a runner uses, for its own proxy as for one that somebody else started."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from chaosproxy.control.messages import Apply, Message, Renew, Status
from chaosproxy.errors import PartFailed
from chaosproxy.journal.records import AnyRecord, from_values
from chaosproxy.plan.rule import Rule

ANSWER_S = 10.0
"""How long the proxy may take to answer a command."""
LINE_BYTES_MAX = 1024 * 1024
"""The longest record that is read."""
RECONNECTS_MAX = 5
RECONNECT_PAUSE_S = 0.2


class ControlClient:
    """Drives one proxy; use it as an async context manager. All methods raise PartFailed, in words."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout, read_bufsize=LINE_BYTES_MAX)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def apply(self, owner: str, rules: Sequence[Rule], *, lease_s: float, seed: int) -> None:
        """Make ``rules`` the whole set of ``owner``; they end by themselves after ``lease_s`` without a renewal."""
        await self._say("PUT", _owner(owner), Apply(rules=tuple(rules), lease=lease_s, seed=seed))

    async def renew(self, owner: str, *, lease_s: float) -> None:
        """Prolong the leases of ``owner``."""
        await self._say("POST", f"{_owner(owner)}/renew", Renew(lease=lease_s))

    async def clear(self, owner: str | None = None) -> None:
        """End all faults of ``owner``, or of everybody."""
        await self._say("DELETE", "/v1/owners" if owner is None else _owner(owner))

    async def status(self) -> Status:
        """Listeners, active faults and clocks."""
        return Status.model_validate(await self._say("GET", "/v1/status"))

    async def active(self, owner: str) -> list[str]:
        """The ids of the owner's faults that are active now."""
        return [fault.id for fault in (await self.status()).active if fault.owner == owner]

    async def events(self, after: int = 0) -> AsyncIterator[AnyRecord]:
        """All records behind number ``after``, as they come, until the proxy ends. Reconnects where it was."""
        failures = 0
        while True:
            try:
                async with self._open(f"/v1/events?after={after}") as answer:
                    async for line in answer.content:
                        event = json.loads(line)
                        after, failures = event["n"], 0
                        yield from_values(event["record"])
                    return
            except (aiohttp.ClientError, OSError) as error:
                failures += 1
                if failures > RECONNECTS_MAX:
                    raise self._unreachable(error) from error
                await asyncio.sleep(RECONNECT_PAUSE_S)

    def _open(self, path: str) -> aiohttp.client._RequestContextManager:
        return self._connected.get(self._url + path, timeout=aiohttp.ClientTimeout(total=None), raise_for_status=True)

    @property
    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise PartFailed("this control client was closed")
        return self._session

    async def _say(self, method: str, path: str, message: Message | None = None) -> Any:
        body = message.model_dump_json() if message is not None else None
        try:
            async with self._connected.request(method, self._url + path, data=body) as answer:
                said = await answer.json()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unreachable(error) from error
        if answer.status >= 400:
            raise PartFailed(f"the proxy at {self._url} refused: {said.get('error', answer.status)}")
        return said

    def _unreachable(self, error: Exception) -> PartFailed:
        return PartFailed(f"the proxy at {self._url} cannot be reached: {str(error) or type(error).__name__}")


def _owner(owner: str) -> str:
    return f"/v1/owners/{quote(owner, safe='')}"
