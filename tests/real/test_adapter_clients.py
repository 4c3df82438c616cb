"""openai, anthropic and the command-line tool llm behind a gateway of the lab, under faults of drills A5, A8 and B3.

Before the first content the resilient gateway falls back, and no client notices; of a clean cut after it each client
learns. Behind the naive gateway, which is the planted defect, none of them does.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaosproxy.experiment.lab_settings import BackendSettings, GatewaySettings
from chaosproxy.lab.backend import Backend
from chaosproxy.lab.gateway.service import Gateway
from chaosproxy.lab.text import expected_answer
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Journal

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

QUESTION = [{"role": "user", "content": "hi"}]
TOKENS = 16
TEXT = "".join(expected_answer("hi", TOKENS))
PATIENCE_S = 60.0
EARLY = [{"type": "http.status", "status": 503}, {"type": "stream.reset", "where": "first_event"}]
LATE = {"type": "stream.truncate", "where": "token:5"}
QUICK = BackendSettings.model_validate({"tokens": TOKENS, "ttft": 0.01, "inter_token": 0.005})


@dataclass(frozen=True, slots=True)
class Seen:
    """What an application got, and whether it was told that something is wrong."""

    text: str
    told: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """A gateway before two listeners before a backend."""

    url: str
    journal: Journal

    @property
    def asked(self) -> list[str]:
        """The listeners of the requests that have ended."""
        return [exchange.listener for exchange in self.journal.exchanges]


@asynccontextmanager
async def chain(do: Mapping[str, object], profile: str) -> AsyncIterator[Chain]:
    """With one fault on the first upstream."""
    journal = Journal()
    async with Backend(QUICK) as backend:
        specs = [ListenerSpec(name, "127.0.0.1:0", backend.url) for name in ("a", "b")]
        async with Proxy(specs, record=journal.add, limits=Limits(stop_s=0.1)) as proxy:
            rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do})
            proxy.apply([rule], owner="test", lease_s=600, seed=1)
            slow = {"first_token": 30.0, "between_events": 30.0, "connect": 30.0, "naive_total": 60.0, "backoff": 0.01}
            settings = GatewaySettings.model_validate(
                {"upstreams": proxy.urls, "profile": profile, "retries": 0, **slow}
            )
            async with Gateway(settings) as gateway:
                yield Chain(gateway.url, journal)


async def openai_client(url: str, _: Path) -> Seen:
    """The asynchronous client, streamed."""
    openai = pytest.importorskip("openai")
    text = ""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", timeout=PATIENCE_S, max_retries=0) as client:
        try:
            async for chunk in await client.chat.completions.create(model="m", messages=QUESTION, stream=True):
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
        except openai.OpenAIError:
            return Seen(text, told=True)
    return Seen(text, told=False)


async def anthropic_client(url: str, _: Path) -> Seen:
    """The asynchronous client, streamed."""
    anthropic = pytest.importorskip("anthropic")
    text = ""
    async with anthropic.AsyncAnthropic(base_url=url, api_key="k", timeout=PATIENCE_S, max_retries=0) as client:
        try:
            async with client.messages.stream(model="m", messages=QUESTION, max_tokens=64) as stream:
                async for piece in stream.text_stream:
                    text += piece
        except anthropic.AnthropicError:
            return Seen(text, told=True)
    return Seen(text, told=False)


async def llm_client(url: str, folder: Path) -> Seen:
    """The command-line tool: what it prints, and whether its exit code says that it failed."""
    if importlib.util.find_spec("llm") is None:
        pytest.skip("the command-line tool llm is not installed")
    models = f"- {{model_id: lab, model_name: m, api_base: '{url}/v1'}}\n"
    (folder / "extra-openai-models.yaml").write_text(models, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llm", "prompt", "hi", "--model", "lab", "--no-log"),
        env={**os.environ, "LLM_USER_PATH": str(folder), "OPENAI_API_KEY": "k", "LLM_LOAD_PLUGINS": ""},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S * 2)
    assert b"Traceback" not in err, err.decode()
    return Seen(out.decode().rstrip("\n"), told=process.returncode != 0)


CLIENTS = [openai_client, anthropic_client, llm_client]


@pytest.mark.parametrize("ask", CLIENTS)
@pytest.mark.parametrize("do", EARLY, ids=lambda do: str(do["type"]))
async def test_before_the_first_content_nobody_notices(
    ask: Callable[[str, Path], Awaitable[Seen]], do: Mapping[str, object], tmp_path: Path
) -> None:
    """The other upstream answers, in full."""
    async with chain(do, "resilient") as at:
        seen = await ask(at.url, tmp_path)
        await at.journal.until(lambda journal: len(journal.exchanges) >= 2)

    assert seen == Seen(TEXT.rstrip("\n"), told=False) or seen == Seen(TEXT, told=False)
    assert at.asked == ["a", "b"]


@pytest.mark.parametrize("ask", CLIENTS)
async def test_after_it_they_are_told(ask: Callable[[str, Path], Awaitable[Seen]], tmp_path: Path) -> None:
    """No second answer is appended: the beginning of the first one, and an error."""
    async with chain(LATE, "resilient") as at:
        seen = await ask(at.url, tmp_path)

    assert seen.told
    assert 0 < len(seen.text) < len(TEXT)
    assert TEXT.startswith(seen.text.rstrip())
    assert set(at.asked) <= {"a"}


@pytest.mark.parametrize("ask", CLIENTS)
async def test_behind_the_naive_gateway_they_are_not(
    ask: Callable[[str, Path], Awaitable[Seen]], tmp_path: Path
) -> None:
    """It passes the cut off as an end: a whole answer, for all that its client knows."""
    async with chain(LATE, "naive") as at:
        seen = await ask(at.url, tmp_path)

    assert not seen.told
    assert 0 < len(seen.text) < len(TEXT)
