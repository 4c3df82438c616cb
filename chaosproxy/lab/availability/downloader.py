"""The downloader: models as files in a folder of its own.

A resilient one writes into ``MODEL.part``, goes on where it was cut, checks length and checksum, and only then replaces
what was there. A naive one writes straight over it, and has no doubts.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp

from chaosproxy.errors import UpstreamFailed
from chaosproxy.lab.availability.asking import Asker
from chaosproxy.lab.availability.component import Component
from chaosproxy.lab.availability.files import CHECKSUM

State = Literal["running", "paused", "cancelled", "failed", "done"]


@dataclass(slots=True)
class Download:
    """One download of a model. ``length`` and ``checksum`` are what the store says of the whole file."""

    model: str
    version: str
    query: str
    state: State = "running"
    bytes: int = 0
    attempts: int = 0
    reason: str = ""
    checked: bool = False
    """Whether length and checksum were found to fit."""
    length: int | None = None
    checksum: str | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def told(self) -> dict[str, Any]:
        """For its page."""
        names = ("model", "version", "state", "bytes", "length", "attempts", "reason", "checked")
        return {name: getattr(self, name) for name in names}


class Downloader:
    """Its operations are downloads; one that is paused or cancelled is none."""

    def __init__(self, asker: Asker, store: str | None, folder: Path, component: Component) -> None:
        self.component = component
        self.downloads: dict[str, Download] = {}
        self.local: dict[str, str] = {}
        """The models that are here, with their versions."""
        self._asker = asker
        self._store = store
        self._folder = folder

    def start(self, model: str, query: Mapping[str, str]) -> Download:
        """Begin to download; one of the same model and version that runs already is that one."""
        running = self.downloads.get(model)
        version = query.get("version", "1")
        if running is not None and running.state == "running" and running.version == version:
            return running
        wanted = {"version": version, **{key: query[key] for key in ("bytes",) if key in query}}
        return self._begin(Download(model, version, urlencode(wanted)))

    def resume(self, download: Download) -> None:
        """Go on after a pause."""
        if download.state == "paused":
            download.state = "running"
            self._begin(download)

    async def pause(self, download: Download) -> None:
        """Stop; what is here stays for ``resume``."""
        if download.state == "running":
            download.state = "paused"
            await _stopped(download)

    async def cancel(self, download: Download) -> None:
        """Stop for good; the resilient one leaves nothing behind."""
        if download.state in ("running", "paused"):
            download.state = "cancelled"
            await _stopped(download)
            if self._asker.resilient:
                self._part(download).unlink(missing_ok=True)

    async def close(self) -> None:
        """Stop all."""
        for download in self.downloads.values():
            await _stopped(download)

    def status(self) -> dict[str, Any]:
        """As the component's page says it."""
        parts = sum(1 for _ in self._folder.glob("*.part"))
        unfinished = sum(each.state not in ("done", "running", "paused") for each in self.downloads.values())
        left = parts if self._asker.resilient else unfinished
        open_ = sum(each.state in ("running", "paused") for each in self.downloads.values())
        return {**self.component.status(), "local": dict(self.local), "partial_files": max(0, left - open_)}

    def _begin(self, download: Download) -> Download:
        self.downloads[download.model] = download
        download.task = asyncio.create_task(self._run(download))
        return download

    async def _run(self, download: Download) -> None:
        fetch = self._fetch if self._asker.resilient else self._fetch_naively
        with suppress(UpstreamFailed), self.component.operation():
            try:
                await fetch(download)
            except UpstreamFailed as failure:
                download.state, download.reason = "failed", str(failure)
                if self._asker.resilient:
                    self._part(download).unlink(missing_ok=True)
                raise
            download.state = "done"
            self.local[download.model] = download.version

    async def _fetch(self, download: Download) -> None:
        failure = UpstreamFailed(UpstreamFailed.CONNECT, "no attempt was made")
        for pause_s in self._asker.pauses_s():
            await asyncio.sleep(pause_s)
            try:
                await self._once(download, self._part(download))
                self._check(download)
            except UpstreamFailed as error:
                failure = error
            else:
                self._part(download).replace(self._file(download))
                return
        raise failure

    async def _fetch_naively(self, download: Download) -> None:
        """The old version is gone as soon as this begins, and whatever comes is the new one."""
        self._file(download).unlink(missing_ok=True)
        self.local[download.model] = download.version
        await self._once(download, self._file(download))

    async def _once(self, download: Download, path: Path) -> None:
        offset = _size(path)
        headers = {"range": f"bytes={offset}-"} if offset else {}
        url = f"{self._store}/files/{download.model}?{download.query}"
        download.attempts += 1
        async with self._asker.open(url, headers) as response:
            offset = _begin_of(response, offset)
            _learn(download, response)
            with path.open("r+b" if offset else "wb") as file:
                file.seek(offset)
                file.truncate()
                async for piece in self._asker.pieces(response):
                    file.write(piece)
                    download.bytes = file.tell()

    def _check(self, download: Download) -> None:
        """Raises UpstreamFailed when the file is not what the store has; a spoilt one is thrown away."""
        path = self._part(download)
        if download.length is not None and path.stat().st_size < download.length:
            raise UpstreamFailed(UpstreamFailed.INCOMPLETE, f"{path.stat().st_size} of {download.length} bytes")
        with path.open("rb") as file:
            told = hashlib.file_digest(file, "sha256").hexdigest()
        if download.checksum is not None and told != download.checksum:
            path.unlink()
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, "the checksum does not fit")
        download.checked = download.checksum is not None

    def _part(self, download: Download) -> Path:
        return self._folder / f"{download.model}.part"

    def _file(self, download: Download) -> Path:
        return self._folder / f"{download.model}.model"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def _stopped(download: Download) -> None:
    if download.task is not None:
        download.task.cancel()
        with suppress(asyncio.CancelledError):
            await download.task


def _begin_of(response: aiohttp.ClientResponse, offset: int) -> int:
    """Where the body begins in the file: a store that ignores Range begins anew. Raises UpstreamFailed."""
    if response.status == 206:
        told = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
        if told != str(offset):
            raise UpstreamFailed(UpstreamFailed.PROTOCOL, "another range than the one that was asked for")
        return offset
    if response.status != 200:
        raise UpstreamFailed(UpstreamFailed.PROTOCOL, f"status {response.status}")
    return 0


def _learn(download: Download, response: aiohttp.ClientResponse) -> None:
    """Of the whole file; a part says its length behind the slash."""
    total = response.headers.get("content-range", "").rpartition("/")[2] or response.headers.get("content-length", "")
    if total.isdecimal():
        download.length = int(total)
    download.checksum = response.headers.get(CHECKSUM, download.checksum)
