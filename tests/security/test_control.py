"""The control API: who may, how often, and never by the port of the data."""

from __future__ import annotations

import ast
import inspect

import aiohttp
import pytest

from chaosproxy.control import guard
from chaosproxy.control.routes import ROUTES
from chaosproxy.errors import UserError
from tests.control.plane import plane
from tests.security.raw_kit import answered, front

TOKEN = "a-token-of-this-test-5d2c"


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0"])
@pytest.mark.parametrize("token", [None, "short"])
def test_elsewhere_it_needs_a_good_token(listen: str, token: str | None) -> None:
    """It does not start without one, nor with one that can be guessed."""
    with pytest.raises(UserError, match="token"):
        guard.Guard(listen, token, lambda: 0.0, guard.RATES)


def test_tokens_are_compared_in_constant_time() -> None:
    """By the library's function, and nowhere with == or a hash of our own."""
    tree = ast.parse(inspect.getsource(guard.Guard))
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare) and "_token" in ast.dump(node)]

    assert "hmac.compare_digest" in inspect.getsource(guard.Guard)
    assert [ast.dump(node.ops[0]) for node in compared] == ["Is()"] * len(compared)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://[", "http://127.0.0.1:1", ""])
async def test_no_page_of_another_origin(origin: str) -> None:
    """Not with the right token either; nothing answers a preflight, and no header lets a browser in."""
    headers = {"Origin": origin, "Authorization": f"Bearer {TOKEN}"}
    async with plane(TOKEN) as here, aiohttp.ClientSession() as session:
        for method in ("GET", "OPTIONS", "DELETE"):
            async with session.request(method, f"{here.url}/v1/owners", headers=headers) as answer:
                assert answer.status == 403
                assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


async def test_the_data_port_never_serves_it() -> None:
    """Its paths belong to the upstream, whatever token comes along."""
    async with front() as at:
        for route in ROUTES:
            path = route.path.replace("{", "").replace("}", "").encode()
            method = route.method.encode()
            request = b"%b %b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %b\r\nContent-Length: 0\r\n\r\n"
            await answered(at.url, request % (method, path, TOKEN.encode()))
            assert b"%b %b HTTP/1.1\r\n" % (method, path) in at.upstream.got


async def test_nothing_says_the_token() -> None:
    """Neither a refusal nor an error page repeats the right one or the one that was tried."""
    guess = f"{TOKEN}-guess"
    async with plane(TOKEN) as here, aiohttp.ClientSession() as session:
        for token in (guess, TOKEN):
            headers = {"Authorization": f"Bearer {token}"}
            for path in ("/v1/status", "/v1/openapi.json", f"/v1/faults/{token}x", "/nothing"):
                async with session.get(here.url + path, headers=headers) as answer:
                    said = await answer.text() + str(answer.headers)
                assert TOKEN not in said.replace(f"{token}x", "")
