"""Who may speak to the control API."""

from __future__ import annotations

import asyncio
from io import BytesIO

import aiohttp
import pytest

from chaosproxy.control.client import ControlClient
from chaosproxy.control.guard import Rates, is_loopback
from chaosproxy.errors import PartFailed
from tests.control.plane import plane, rule

TOKEN = "the-right-token-of-this-test"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_wrong_tokens_are_slowed_down() -> None:
    """After some of them the address has to wait, and is told for how long; then the right one works again."""
    async with plane(TOKEN, rates=Rates(1e6, 120)) as here, aiohttp.ClientSession() as session:
        statuses = []
        for number in range(122):
            async with session.get(f"{here.url}/v1/status", headers=_bearer(f"guess-{number}")) as answer:
                statuses.append(answer.status)
                after = answer.headers.get("Retry-After")
        assert statuses[:120] == [401] * 120
        assert (statuses[-1], after) == (429, "1")
        async with session.get(f"{here.url}/v1/status", headers=_bearer(TOKEN)) as answer:
            assert answer.status == 429
        async with ControlClient(here.url, TOKEN) as client:  # which waits as it is told
            assert "a" in (await client.status()).listeners


async def test_requests_are_counted() -> None:
    """More than so many a minute are refused."""
    async with plane(rates=Rates(5, 5)) as here, aiohttp.ClientSession() as session:
        statuses = []
        for _ in range(6):
            async with session.get(f"{here.url}/v1/status") as answer:
                statuses.append(answer.status)
    assert statuses == [200] * 5 + [429]


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
async def test_only_a_bearer_token_counts(scheme: str) -> None:
    """The right characters under another name do not."""
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    async with plane(TOKEN) as here, aiohttp.ClientSession(headers=headers) as session:
        answer = await session.get(f"{here.url}/v1/status")
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_pages_of_other_origins_are_refused() -> None:
    """With and without a preflight; none of the answers allows an origin. A page of our own may ask."""
    body = {"rule": rule().model_dump(mode="json", by_alias=True), "lease": "30s"}
    async with plane() as here, aiohttp.ClientSession() as session:
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
            for method in ("POST", "OPTIONS"):
                async with session.request(
                    method, f"{here.url}/v1/faults", json=body, headers={"Origin": origin}
                ) as answer:
                    assert answer.status == 403
                    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert here.proxy.active == ()
        async with session.post(f"{here.url}/v1/faults", json=body, headers={"Origin": here.url}) as answer:
            assert answer.status == 201


async def test_a_rebound_name_is_refused_without_a_token() -> None:
    """A page whose name was made to mean this machine still sends its name."""
    async with plane() as here, aiohttp.ClientSession() as session:
        for host, status in (("evil.example", 403), ("localhost", 200), ("127.0.0.1:80", 200), ("[::1]:80", 200)):
            async with session.get(f"{here.url}/v1/status", headers={"Host": host}) as answer:
                assert answer.status == status, host
    async with plane(TOKEN) as here, aiohttp.ClientSession() as session:
        headers = {"Host": "chaos.staging", **_bearer(TOKEN)}
        async with session.get(f"{here.url}/v1/status", headers=headers) as answer:
            assert answer.status == 200


async def test_a_body_is_json_and_not_too_large() -> None:
    """A form or plain text, which a page can send without a preflight, is refused; so is too much."""
    async with plane() as here, aiohttp.ClientSession() as session:
        for kind, data, status in (
            ("text/plain", b"{}", 415),
            ("application/x-www-form-urlencoded", b"{}", 415),
            ("application/json", b" " * (5 * 1024 * 1024), 413),
            ("application/json", b"{", 400),
        ):
            async with session.put(f"{here.url}/v1/lock", data=BytesIO(data), headers={"Content-Type": kind}) as answer:
                assert answer.status == status
                assert "error" in await answer.json()
        assert here.desk.halted == ""


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow client costs a moment."""
    monkeypatch.setattr("chaosproxy.control.api.BODY_WITHIN_S", 0.1)
    async with plane() as here:
        host, port = here.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"PUT /v1/lock HTTP/1.1\r\nHost: {host}\r\n".encode())
        writer.write(b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_a_client_gives_up_when_it_is_refused_for_long() -> None:
    """It says why."""
    async with plane(rates=Rates(1, 1)) as here, ControlClient(here.url, answer_s=1) as client:
        await client.status()
        with pytest.raises(PartFailed, match="refused: too many requests"):
            await client.status()


def test_loopback() -> None:
    """Addresses and the one name."""
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "::", "example.com", "")))
