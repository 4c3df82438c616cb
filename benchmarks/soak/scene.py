"""All processes of a soak, on loopback: a lab backend, the proxy, the load and the visitors."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chaosproxy.lab.load.job import LoadJob
from chaosproxy.runner.parts import Part

MODELS, ECHO, BYTES = "models", "echo", "bytes"
"""The listeners: before the lab backend, before the visitors' own upstream, and before the backend without HTTP."""
TOKENS = 30
INTER_TOKEN_S = 0.1
TTFT_S = 0.2
STREAM_S = TTFT_S + TOKENS * INTER_TOKEN_S
TIMEOUT_S = 6.0
"""Silence after which a client of the load leaves."""
ATTEMPTS = 1.5
"""So many times more calls than streams can be open at once: a stream that ends early is followed by another."""
APIS = {"openai.chat": 0.4, "openai.responses": 0.15, "anthropic.messages": 0.15, "gemini": 0.15, "ollama": 0.15}
"""Shares of the streams."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What runs. ``urls`` are the listeners and the control API, ``journal`` is the proxy's."""

    proxy: Part
    load: Part
    visitors: Part
    urls: dict[str, str]
    journal: Path

    async def begin(self, streams: int, seconds: float) -> None:
        """Let the load and the visitors begin."""
        job = LoadJob.model_validate(
            {
                "loads": [_load(api, round(streams * share)) for api, share in APIS.items()],
                "entry": self.urls[MODELS],
                "seed": 1,
                "nonce": "soak",
                "warmup_s": 0,
                "lasts_s": seconds,
                "origin_mono": time.monotonic(),
            }
        )
        await self.load.send(job.model_dump_json())
        await self.visitors.send(json.dumps(self.urls))


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Scene]:
    """Start all, and end it afterwards; logs and the journal are in ``folder``. Raises PartFailed."""
    async with AsyncExitStack() as stack:

        async def start(name: str, module: str, *args: str) -> Part:
            part = await Part.start_module(name, module, args, folder)
            stack.push_async_callback(part.stop)
            return part

        settings = {"tokens": TOKENS, "ttft": TTFT_S, "inter_token": INTER_TOKEN_S, "jitter": 0.2}
        backend = await start("backend", "chaosproxy.lab.backend", "--settings", json.dumps(settings), "--leash")
        visitors = await start("visitors", "benchmarks.soak.visitors")
        journal = folder / "journal.jsonl"
        upstreams = {MODELS: backend.ready["url"], ECHO: visitors.ready["url"], BYTES: _bytes(backend.ready["url"])}
        config = folder / "proxies.json"
        listeners = {name: {"listen": "127.0.0.1:0", "upstream": url} for name, url in upstreams.items()}
        config.write_text(json.dumps({"seed": "1", "listeners": listeners}), encoding="utf-8")
        words = ("--config", str(config), "--control", "127.0.0.1:0", "--journal", str(journal))
        proxy = await start("proxy", "chaosproxy", "serve", *words, "--allow-header-faults", "--leash")
        urls = {name: listener["url"] for name, listener in proxy.ready["listeners"].items()}
        load = await start("load", "chaosproxy.lab.load")
        yield Scene(proxy, load, visitors, {**urls, "control": proxy.ready["control"]}, journal)


def _bytes(url: str) -> str:
    return f"tcp://{urlsplit(url).netloc}"


def _load(api: str, streams: int) -> dict[str, object]:
    arrival = {"rate": ATTEMPTS * streams / STREAM_S, "max_in_flight": streams}
    return {"id": api, "arrival": arrival, "request": {"api": api, "timeout": TIMEOUT_S}}
