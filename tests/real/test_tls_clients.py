"""Real clients over https, with the throw-away authority as they are told to trust it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from tests.functional.asking_kit import on_each_loop
from tests.functional.tls_kit import HOST, Files, papers, refusals
from tests.functional.wire_kit import PATH, Bench, bench
from tests.real.sdk_bench import TEXT, TIMEOUT_S, cut, named, speak

openai = pytest.importorskip("openai")
pytestmark = pytest.mark.real

QUESTION = [{"role": "user", "content": "hi"}]


@asynccontextmanager
async def broken(do: Mapping[str, object] | None = None, shown: Files | None = None) -> AsyncIterator[Bench]:
    """A TLS listener with one fault, or with none."""
    async with bench(speak, Limits(stop_s=0.1), tls=(shown or papers()).pair) as at:
        if do is not None:
            rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do})
            at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        yield at


def sdk(at: Bench) -> Any:
    """As it is without any argument but the URL: it trusts what SSL_CERT_FILE names."""
    url = at.url.replace("127.0.0.1", "localhost")
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", timeout=TIMEOUT_S, max_retries=0)


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", papers().ca)


@on_each_loop
async def test_openai_gets_a_plain_answer() -> None:
    """Through the fixed base URL's scheme, with its name checked."""
    async with broken() as at, sdk(at) as client:
        answer = await client.chat.completions.create(model="m", messages=QUESTION)

    assert answer.choices[0].message.content == TEXT


@pytest.mark.parametrize(
    ("do", "text", "error"),
    [
        (None, TEXT, None),
        ({"type": "stream.truncate", "where": "token:5"}, cut(5), None),
        ({"type": "stream.fin", "where": "token:5"}, cut(5), "APIConnectionError<-RemoteProtocolError"),
        ({"type": "stream.reset", "where": "token:5"}, cut(5), "APIConnectionError<-ReadError"),
        ({"type": "stream.chunk_size", "where": "token:5"}, cut(5), "APIConnectionError<-RemoteProtocolError"),
        ({"type": "conn.reset", "stage": "accept"}, "", "APIConnectionError<-ConnectError"),
        ({"type": "conn.refuse"}, "", "APIConnectionError<-ConnectError"),
    ],
)
@on_each_loop
async def test_openai_sees_the_same_faults(do: Mapping[str, object] | None, text: str, error: str | None) -> None:
    """The error of the SDK, and that of httpx below it."""
    got, seen = "", None
    async with broken(do) as at, sdk(at) as client:
        try:
            async for chunk in await client.chat.completions.create(model="m", messages=QUESTION, stream=True):
                for choice in chunk.choices:
                    got += choice.delta.content or ""
        except openai.APIConnectionError as caught:
            seen = f"{named(caught)}<-{named(caught.__cause__ or caught)}"

    assert (got, seen) == (text, error)


async def test_openai_without_the_authority_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs up without an alert, as asyncio's clients do; our journal counts it."""
    monkeypatch.delenv("SSL_CERT_FILE")
    async with broken() as at, sdk(at) as client:
        with pytest.raises(openai.APIConnectionError) as refused:
            await client.chat.completions.create(model="m", messages=QUESTION)
        await at.journal.until(lambda _: "tls_left" in refusals(at))

    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value.__cause__)


@on_each_loop
async def test_aiohttp_reads_a_stream() -> None:
    """Its default context honours SSL_CERT_FILE; requests share the connection."""
    body = {"model": "m", "messages": QUESTION, "stream": True}
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context())
    async with broken() as at, aiohttp.ClientSession(connector=connector) as session:
        for _ in range(3):
            async with session.post(at.url + PATH, json=body) as response:
                text = await response.text()
        opened = [exchange.listener for exchange in at.journal.exchanges]

    assert text.endswith("data: [DONE]\n\n")
    assert len(opened) == 3


@on_each_loop
async def test_aiohttp_tells_a_cut_from_a_reset() -> None:
    """A FIN without a close_notify is an incomplete payload, an RST a reset connection."""
    body = {"model": "m", "messages": QUESTION, "stream": True}
    seen = []
    for how in ("stream.fin", "stream.reset"):
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context())
        async with (
            broken({"type": how, "where": "token:5"}) as at,
            aiohttp.ClientSession(connector=connector) as session,
        ):
            with pytest.raises(aiohttp.ClientError) as caught:
                async with session.post(at.url + PATH, json=body) as response:
                    await response.read()
            seen.append(f"{caught.value} {caught.value.__cause__!r}")

    assert "TransferEncodingError" in seen[0]
    assert "Reset" in seen[1]


async def run(*command: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """A program to its end."""
    started = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **(env or {})}
    )
    out, err = await started.communicate()
    return started.returncode or 0, out.decode(), err.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_calls_the_fixed_host() -> None:
    """As the how-to shows it; for a fixed host without a hosts file entry."""
    async with broken() as at:
        port = at.url.rpartition(":")[2]
        code, out, err = await run(
            *("curl", "-sS", "--cacert", papers().ca, "--connect-to", f"{HOST}:{port}:127.0.0.1:{port}"),
            *("-H", "content-type: application/json", "-d", json.dumps({"model": "m", "messages": QUESTION})),
            f"https://{HOST}:{port}{PATH}",
        )

    assert (code, err) == (0, "")
    assert json.loads(out)["choices"][0]["message"]["content"] == TEXT


@pytest.mark.parametrize(("how", "code"), [("stream.fin", {18, 56}), ("stream.reset", {56})])
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_sees_a_cut(how: str, code: set[int]) -> None:
    """18 is a partial file, 56 a failure in receiving."""
    async with broken({"type": how, "where": "token:5"}) as at:
        body = json.dumps({"model": "m", "messages": QUESTION, "stream": True})
        ended, out, _ = await run(*("curl", "-sSN", "--cacert", papers().ca, "-d", body), at.url + PATH)

    assert ended in code
    assert out.count("data:") == 6  # the role, and five tokens


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
async def test_node_trusts_it() -> None:
    """By NODE_EXTRA_CA_CERTS."""
    script = """
      require("https").get(process.argv[1], (answer) => {
        answer.resume().on("end", () => console.log(answer.statusCode));
      });"""
    async with broken() as at:
        code, out, err = await run("node", "-e", script, f"{at.url}/x", env={"NODE_EXTRA_CA_CERTS": papers().ca})

    assert (code, out.strip(), err) == (0, "200", "")
