"""More clients than a proxy may have: those inside live on, those outside are told, and nothing spins."""

from __future__ import annotations

import asyncio
import socket

import pytest

from chaosproxy.proxy.capacity import FILES_KEPT, TURNED_AWAY
from tests.e2e.soak import LINUX, Watched, serving, until
from tests.functional.wire_kit import SSE_HEAD, Answer, Client, Peer, Request, ask, call, chunk, events, plain, upstream

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not LINUX, reason="reads /proc")]

FILES = 256
LIMIT = (FILES - FILES_KEPT) // 2
MORE = 50


async def play(request: Request, peer: Peer) -> None:
    """A stream without an end, or a plain answer."""
    if b'"stream": true' in request.body:
        await peer.send(SSE_HEAD + chunk(events(1)[0]))
        await peer.gone.wait()
    else:
        await peer.send(plain(b"{}"))


async def begin_stream(url: str) -> Client:
    """A client that has the head of its answer."""
    client = await Client.connect(url)
    await client.send(ask())
    assert " 200 " in await client.head()
    assert await client.chunk()
    return client


async def knock(url: str) -> Answer:
    """One request on a connection of its own."""
    async with asyncio.timeout(30):
        return await call(url, ask(stream=False))


async def rush(url: str) -> Client:
    """A client that asks as soon as it is connected."""
    host, _, port = url.removeprefix("http://").partition(":")
    sock = socket.create_connection((host, int(port)))
    sock.sendall(ask(stream=False))
    return Client(*await asyncio.open_connection(sock=sock))


async def all_places_free(proxy: Watched) -> None:
    """Wait until as many clients as may be are served at once."""

    async def served() -> bool:
        answers = await asyncio.gather(*(knock(proxy.url) for _ in range(LIMIT)))
        return {answer.status for answer in answers} == {200}

    await until(served)


async def test_below_the_limit_of_descriptors_clients_are_told() -> None:
    """N streams live on, 50 more clients get a 503 of ours in full, none is reset; later there is room again."""
    async with upstream(play) as server_side, serving(server_side.url, files=FILES) as proxy:
        inside = await asyncio.gather(*(begin_stream(proxy.url) for _ in range(LIMIT)))
        outside = await asyncio.gather(*(knock(proxy.url) for _ in range(MORE)))
        files_at_the_limit = proxy.files
        assert not any(client.reader.at_eof() for client in inside)
        for client in inside:
            client.close()
        await all_places_free(proxy)

    assert {(answer.status, answer.ended) for answer in outside} == {(503, "end")}
    assert all("x-chaosproxy-error: connections" in answer.fields for answer in outside)
    assert all("Retry-After: 1" in answer.fields for answer in outside)
    assert outside[0].body.decode().count(f"the limit of {LIMIT} connections is reached") == 1
    assert files_at_the_limit < FILES


async def test_a_stampede_on_a_full_proxy_uses_up_no_descriptor() -> None:
    """Of hundreds that ask at once each waits or is turned away, with an answer; the proxy has files left."""
    async with upstream(play) as server_side, serving(server_side.url, files=FILES) as proxy:
        inside = await asyncio.gather(*(begin_stream(proxy.url) for _ in range(LIMIT)))
        crowd = [await rush(proxy.url) for _ in range(4 * TURNED_AWAY)]
        most_files = 0

        async def read(client: Client) -> Answer:
            nonlocal most_files
            answer = await client.read()
            most_files = max(most_files, proxy.files)
            return answer

        async with asyncio.timeout(60):
            answers = await asyncio.gather(*map(read, crowd))
        for client in crowd + inside:
            client.close()

    assert most_files < FILES
    assert {(answer.status, answer.ended) for answer in answers} == {(503, "end")}


async def test_at_the_limit_a_proxy_rests() -> None:
    """With all places taken and clients waiting outside, it uses no processor time to speak of."""
    async with upstream(play) as server_side, serving(server_side.url, files=FILES) as proxy:
        inside = await asyncio.gather(*(begin_stream(proxy.url) for _ in range(LIMIT)))
        crowd = await asyncio.gather(*(Client.connect(proxy.url) for _ in range(4 * TURNED_AWAY)))
        before_s = proxy.cpu_s
        await asyncio.sleep(1)
        used_s = proxy.cpu_s - before_s
        for client in crowd + inside:
            client.close()

    assert used_s < 0.3


@pytest.mark.parametrize("asked", [LIMIT + 1, 1000])
async def test_more_than_the_descriptors_allow_is_not_promised(asked: int) -> None:
    """A warning names both numbers, and the proxy starts with the smaller one."""
    async with (
        upstream(play) as server_side,
        serving(server_side.url, "--connections-max", str(asked), files=FILES) as proxy,
    ):
        proxy.process.terminate()
        _, said = await proxy.process.communicate()

    assert proxy.process.returncode == 0
    assert f'"asked": {asked}, "allowed": {LIMIT}' in said.decode()


async def test_the_environment_sets_the_limit() -> None:
    """Without a warning, as there are descriptors for it."""
    env = {"CHAOSPROXY_CONNECTIONS_MAX": "1"}
    async with upstream(play) as server_side, serving(server_side.url, env=env) as proxy:
        inside = await begin_stream(proxy.url)
        refused = await knock(proxy.url)
        inside.close()
        proxy.process.terminate()
        _, said = await proxy.process.communicate()

    assert refused.status == 503
    assert b"connections_max" not in said
