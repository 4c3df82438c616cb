"""Files of the lab's backend, over real sockets."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.lab import files
from chaosproxy.lab.backend import Backend

SIZE = 300_007


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Of one file."""
    async with Backend(BackendSettings(notice_every=0.001)) as backend:
        yield f"{backend.url}/models/files/{SIZE}"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession() as session:
        yield session


def whole(size: int = SIZE) -> bytes:
    """All bytes of a file."""
    return b"".join(files.content(0, size))


class TestContent:
    @pytest.mark.parametrize(("begin", "end"), [(0, 0), (0, 1), (1, 70_000), (65_520, 65_522), (299_000, SIZE)])
    def test_a_part_is_that_part_of_the_whole(self, begin: int, end: int) -> None:
        assert b"".join(files.content(begin, end)) == whole()[begin:end]

    def test_a_piece_at_a_wrong_place_is_another(self) -> None:
        assert whole()[1000:2000] != whole()[2000:3000] != whole()[66_000:67_000]

    def test_blocks_are_small(self) -> None:
        assert max(map(len, files.content(17, 10**7))) < 300_000


class TestDownload:
    async def test_whole(self, url: str, session: aiohttp.ClientSession) -> None:
        async with session.get(url) as response:
            assert await response.read() == whole()
            assert response.status == 200
            assert response.headers["accept-ranges"] == "bytes"
            assert int(response.headers["content-length"]) == SIZE

    async def test_head(self, url: str, session: aiohttp.ClientSession) -> None:
        async with session.head(url) as response:
            assert int(response.headers["content-length"]) == SIZE
            assert await response.read() == b""

    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [
            ("0-99", 0, 99),
            ("70000-", 70_000, SIZE - 1),
            ("-100", SIZE - 100, SIZE - 1),
            ("5-9999999", 5, SIZE - 1),
            ("-9999999", 0, SIZE - 1),
        ],
    )
    async def test_a_part(self, url: str, session: aiohttp.ClientSession, asked: str, first: int, last: int) -> None:
        async with session.get(url, headers={"range": f"bytes={asked}"}) as response:
            assert response.status == 206
            assert response.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
            assert await response.read() == whole()[first : last + 1]

    @pytest.mark.parametrize("asked", [f"{SIZE}-", "9-5", "-0"])
    async def test_no_such_part(self, url: str, session: aiohttp.ClientSession, asked: str) -> None:
        async with session.get(url, headers={"range": f"bytes={asked}"}) as response:
            assert response.status == 416
            assert response.headers["content-range"] == f"bytes */{SIZE}"

    @pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=-"])
    async def test_what_is_not_read_means_the_whole_file(
        self, url: str, session: aiohttp.ClientSession, asked: str
    ) -> None:
        async with session.get(url, headers={"range": asked}) as response:
            assert response.status == 200
            assert len(await response.read()) == SIZE

    async def test_a_part_of_another_version_is_the_whole_file(self, url: str, session: aiohttp.ClientSession) -> None:
        async with session.get(url, headers={"range": "bytes=5-", "if-range": '"older"'}) as response:
            assert response.status == 200
        async with session.head(url) as response:
            etag = response.headers["etag"]
        async with session.get(url, headers={"range": "bytes=5-", "if-range": etag}) as response:
            assert response.status == 206

    async def test_an_empty_file(self, url: str, session: aiohttp.ClientSession) -> None:
        async with session.get(url.replace(str(SIZE), "0")) as response:
            assert (response.status, await response.read()) == (200, b"")

    async def test_the_checksum(self, url: str, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{url}.sha256") as response:
            assert (await response.text()).split() == [hashlib.sha256(whole()).hexdigest(), str(SIZE)]

    @pytest.mark.parametrize("size", ["-1", "007", "1e3", str(files.FILE_BYTES_MAX + 1), "9" * 30])
    async def test_a_file_that_does_not_exist(self, url: str, session: aiohttp.ClientSession, size: str) -> None:
        async with session.get(url.replace(str(SIZE), size)) as response:
            assert response.status == 404

    async def test_it_is_only_read(self, url: str, session: aiohttp.ClientSession) -> None:
        async with session.put(url, data=b"x") as response:
            assert response.status == 405


class TestProgress:
    async def test_ten_notices(self, url: str, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{url}/progress") as socket:
            notices = [message.json() async for message in socket]

        assert [notice["bytes"] for notice in notices] == [SIZE * tenth // 10 for tenth in range(1, 11)]
        assert [notice["done"] for notice in notices] == [False] * 9 + [True]

    async def test_without_a_websocket(self, url: str, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{url}/progress") as response:
            assert response.status == 426


async def test_the_backend_counts_them() -> None:
    """Apart from requests for answers."""
    async with Backend() as backend, aiohttp.ClientSession() as session:
        async with session.get(f"{backend.url}/files/5"):
            pass
        assert backend.stats["files"] == 1
        assert backend.stats["requests"] == 0


async def test_a_client_that_leaves_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """The next one is served, and nothing is logged."""
    async with Backend() as backend, aiohttp.ClientSession() as session:
        async with session.get(f"{backend.url}/files/{10**8}") as response:
            await response.content.readexactly(1000)
            response.close()
        async with session.get(f"{backend.url}/files/5") as response:
            assert await response.read() == whole(5)
    assert not caplog.records
