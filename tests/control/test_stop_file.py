"""The stop button where no network is left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chaosproxy.control.client import ControlClient
from chaosproxy.control.stop_file import watching
from chaosproxy.errors import PartFailed, UserError
from tests.control.plane import plane, rule


class Told:
    """What the watcher said, and a way to wait for it."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._said = asyncio.Event()

    def __call__(self, why: str) -> None:
        self.words.append(why)
        self._said.set()

    async def until(self, why: str) -> None:
        """Wait until it says just this."""
        async with asyncio.timeout(10):
            while self.words[-1:] != [why]:
                self._said.clear()
                await self._said.wait()


async def test_it_comes_and_goes(tmp_path: Path) -> None:
    """What it is told is the file's state, from the first moment on."""
    stop, told = tmp_path / "stop", Told()
    async with watching(stop, told):
        assert told.words == [""]
        stop.touch()
        await told.until(f"the stop file {stop} exists")
        stop.unlink()
        await told.until("")


async def test_a_file_that_cannot_be_looked_for_counts_as_there(tmp_path: Path) -> None:
    """When nobody can know, nothing is injected; from the start it is a mistake of the operator's."""
    folder = tmp_path / "folder"
    folder.mkdir()
    stop, told = folder / "stop", Told()
    async with watching(stop, told):
        folder.rmdir()
        folder.symlink_to(folder)  # a loop of links: nobody can look behind it
        await told.until(f"the stop file {stop} cannot be looked for: too many levels of symbolic links")
    with pytest.raises(UserError, match=r"--stop-file: cannot look for .*stop: too many levels"):
        async with watching(stop, told):
            pass


async def test_it_heals_and_refuses_beside_the_lock(tmp_path: Path) -> None:
    """Both must be gone before faults may come again."""
    stop = tmp_path / "stop"
    async with plane() as here, ControlClient(here.url) as client:
        await client.apply("run", [rule()], lease_s=30, seed=1)
        told = Told()

        def tell(why: str) -> None:
            here.desk.halt("stop-file", why)
            told(why)

        async with watching(stop, tell):
            stop.touch()
            await told.until(f"the stop file {stop} exists")
            assert await client.faults() == ()
            assert await client.lock("by hand") == f"the stop file {stop} exists; by hand"
            assert await client.unlock() == f"the stop file {stop} exists"
            with pytest.raises(PartFailed, match=r"the stop file .* exists"):
                await client.apply("run", [rule()], lease_s=30, seed=1)
            stop.unlink()
            await told.until("")
            await client.apply("run", [rule()], lease_s=30, seed=1)
            assert await client.active("run") == ["f"]
