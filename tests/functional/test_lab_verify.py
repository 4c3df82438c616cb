"""``chaosproxy lab verify``: the lab by itself, and against upstreams that are like it or are not."""

from __future__ import annotations

import asyncio
import json
from typing import get_args

import pytest

from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.lab.backend import Backend
from chaosproxy.lab.verify import sdks
from chaosproxy.lab.verify.live import compare_live
from chaosproxy.lab.verify.own import SETTINGS, verify
from chaosproxy.wire.dialects import detect
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.names import ApiName
from tests.cli.command import Ended, chaosproxy
from tests.functional.wire_kit import Peer, Request, Script, answers, plain, stream, upstream

APIS: tuple[ApiName, ...] = get_args(ApiName)
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "OLLAMA_API_KEY")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEYS, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def command(*words: str) -> Ended:
    """The command in a thread, so that an upstream of this loop can answer it."""
    return await asyncio.to_thread(chaosproxy, "lab", "verify", *words)


def speaks(old: bytes = b"", new: bytes = b"") -> Script:
    """An upstream that speaks as the lab does, but for some words of its bodies."""

    async def play(request: Request, peer: Peer) -> None:
        method, path, _ = request.line.split(" ")
        spoken = detect(method, path)
        facts = spoken.read_request(request.body, path)
        answer = Answer("1", "m", 1, ("Hi", "!"), prompt_tokens=3, output_tokens=2, include_usage=facts.asks_usage)
        if facts.stream:
            frames = [frame.replace(old, new) if old else frame for frame in spoken.stream_frames(answer)]
            await peer.send(stream(frames, spoken.stream_type))
        else:
            body = spoken.plain_body(answer)
            await peer.send(plain(body.replace(old, new) if old else body, "200 OK", "Content-Type: application/json"))

    return play


async def test_the_lab_is_well() -> None:
    """In every dialect, by our readers and by every SDK that is installed."""
    found = await verify(APIS)

    assert [one.api for one in found] == list(APIS)
    assert {one.api: one.columns for one in found if not one.ok} == {}
    assert [one.api for one in found if one.tool is None] == ["ollama.generate"]


async def test_a_lab_that_is_not_well() -> None:
    """A backend that answers plainly what was asked as a stream."""
    settings = BackendSettings.model_validate({**SETTINGS.model_dump(), "supports_streaming": {"*": False}})

    (found,) = await verify(["openai.chat"], Backend(settings))

    assert not found.ok
    assert found.plain == []
    assert found.stream[0].startswith("content-type 'application/json")


@pytest.mark.parametrize("api", APIS)
async def test_the_lab_is_like_itself(api: ApiName) -> None:
    """As its own live upstream."""
    async with Backend(SETTINGS) as backend:
        found = await compare_live(backend.url, api, "m", {})

    assert found.ok
    assert found.plain is not None
    assert found.stream is not None
    assert [found.plain.more, found.plain.less, found.stream.more, found.stream.less] == [{}, {}, {}, {}]


async def test_another_type_is_wrong_and_another_member_is_information() -> None:
    """The exit code tells the first, words tell both."""
    async with upstream(speaks(b'"created":1,', b'"created":"1","service_tier":"x",')) as live:
        ended = await command("--against", live.url, "--model", "m")
    async with upstream(speaks(b'"created":1,', b'"created":1,"service_tier":"x",')) as live:
        fine = await command("--against", live.url, "--model", "m")

    assert (ended.code, fine.code) == (1, 0)
    assert ended.out.splitlines()[0] == f"openai.chat at {ended.out.split()[2]} model m"
    assert "    wrong: created is number in the lab's answer, string in this one" in ended.out.splitlines()
    assert "    only here: service_tier (string)" in fine.out.splitlines()
    assert "wrong" not in fine.out


@pytest.mark.parametrize(
    ("api", "variable", "field", "value"),
    [
        ("openai.chat", "OPENAI_API_KEY", "authorization", "Bearer sk-live-1"),
        ("anthropic.messages", "ANTHROPIC_API_KEY", "x-api-key", "sk-live-1"),
        ("gemini", "GEMINI_API_KEY", "x-goog-api-key", "sk-live-1"),
        ("ollama", "OLLAMA_API_KEY", "authorization", "Bearer sk-live-1"),
    ],
)
async def test_the_usual_key_is_sent_and_never_told(
    api: str, variable: str, field: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One plain and one streamed request have it."""
    monkeypatch.setenv(variable, "sk-live-1")
    async with upstream(speaks()) as live:
        ended = await command("--against", live.url, "--dialect", api, "--json")

    assert [request.field(field) for request in live.requests] == [value, value]
    assert "sk-live-1" not in ended.out + ended.err
    assert [one["dialect"] for one in json.loads(ended.out)] == [api]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("401 Unauthorized", "set OPENAI_API_KEY to a key that it takes"),
        ("404 Not Found", "does it have the path /v1/chat/completions and the model gpt-4o-mini?"),
        ("308 Permanent Redirect", "redirects are not followed"),
        ("500 Oh", "does it serve the model gpt-4o-mini?"),
    ],
)
async def test_an_upstream_that_refuses(status: str, words: str) -> None:
    """Nothing is known of it: exit code 3, and what to do."""
    async with upstream(answers(plain(b"{}", status, "Location: http://127.0.0.1:9/"))) as live:
        ended = await command("--against", live.url)

    assert ended.code == 3
    assert f"answered openai.chat with status {status[:3]}" in ended.err
    assert words in ended.err


async def test_an_upstream_that_cannot_be_reached() -> None:
    """Or breaks off."""

    async def leave(request: Request, peer: Peer) -> None:
        peer.writer.close()

    async with upstream(leave) as live:
        broken = await command("--against", live.url)
    gone = await command("--against", live.url)

    assert (broken.code, gone.code) == (3, 3)
    assert "the connection failed" in broken.err
    assert "cannot connect (Connection refused); is it running, and is the URL right?" in gone.err


async def test_an_answer_that_cannot_be_read_is_wrong() -> None:
    """Such as a page with status 200."""
    async with upstream(answers(plain(b"<html>", "200 OK", "Content-Type: text/html"))) as live:
        ended = await command("--against", live.url)

    assert ended.code == 1
    assert "  plain: cannot be read" in ended.out.splitlines()
    assert "    content-type 'text/html', expected 'application/json'" in ended.out.splitlines()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--dialect", "openai.chta"], "--dialect: unknown dialect 'openai.chta', did you mean 'openai.chat'?"),
        (["--dialect", "raw"], "--dialect: raw has no answers of its own"),
        (["--model", "m"], "--model is for a live upstream: give --against URL, too"),
        (["--against", "localhost"], "expected an upstream such as https://api.example.com, got 'localhost'"),
    ],
)
def test_wrong_options(given: list[str], words: str) -> None:
    """Exit code 2, in words."""
    ended = chaosproxy("lab", "verify", *given)

    assert ended.code == 2
    assert words in ended.err


def test_a_key_that_no_header_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, not shown."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret\nx: y")
    ended = chaosproxy("lab", "verify", "--against", "http://127.0.0.1:9")

    assert ended.code == 2
    assert "OPENAI_API_KEY" in ended.err
    assert "sk-secret" not in ended.err


def test_the_table() -> None:
    """A line for each dialect, and as JSON for programs."""
    ended = chaosproxy("lab", "verify", "--dialect", "ollama", "--dialect", "openai.chat")
    told = json.loads(chaosproxy("lab", "verify", "--dialect", "ollama", "--json").out)

    assert ended.code == 0
    assert [line.split()[:5] for line in ended.out.splitlines()] == [
        ["dialect", "plain", "stream", "tool", "error"],
        ["openai.chat", "ok", "ok", "ok", "ok"],
        ["ollama", "ok", "ok", "ok", "ok"],
    ]
    assert told[0] | {"sdk": None} == {
        "dialect": "ollama",
        "sdk": None,
        "ok": True,
        "plain": [],
        "stream": [],
        "tool": [],
        "error": [],
    }


def test_an_sdk_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own readers decide alone then."""
    monkeypatch.setitem(sdks._DECLARED, "ollama", sdks.Declared("ollama", "no_such_sdk:A", "no_such_sdk:A"))

    ended = chaosproxy("lab", "verify", "--dialect", "ollama")

    assert ended.code == 0
    assert ended.out.splitlines()[1].endswith("SDK not installed (ollama)")
