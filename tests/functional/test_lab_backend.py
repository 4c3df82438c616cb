"""The lab's backend over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any, get_args

import aiohttp
import pytest

from chaosproxy.errors import PartFailed
from chaosproxy.events import Kind
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.experiment.load_settings import Request
from chaosproxy.lab.backend import BODY_LIMIT_BYTES, Backend
from chaosproxy.lab.load.request_body import request_body
from chaosproxy.lab.text import expected_answer
from chaosproxy.wire.dialects import detect, dialect
from chaosproxy.wire.dialects.names import ApiName

OPENAI = "/v1/chat/completions"
ANTHROPIC = "/v1/messages"
QUICK: dict[str, Any] = {"tokens": 6, "ttft": 0.0, "inter_token": 0.0}
TEXT = "".join(expected_answer("hi", 6))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession() as session:
        yield session


def _asked(*, stream: bool = False, model: str = "m", **fields: Any) -> dict[str, Any]:
    return {
        "model": model,
        "stream": stream,
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "hi"}],
        **fields,
    }


async def _get(http: aiohttp.ClientSession, url: str, method: str = "GET", **what: Any) -> aiohttp.ClientResponse:
    """A whole response: its body is read, its connection given back."""
    async with http.request(method, url, **what) as response:
        await response.read()
        return response


async def _post(http: aiohttp.ClientSession, url: str, asked: dict[str, Any]) -> aiohttp.ClientResponse:
    return await _get(http, url, "POST", json=asked)


async def _until(condition: Any) -> None:
    while not condition():  # noqa: ASYNC110 - what the backend counts is told by no event
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC, f"/team/a{OPENAI}", f"/anthropic{ANTHROPIC}"])
async def test_stream_is_native_and_its_text_expected(http: aiohttp.ClientSession, path: str) -> None:
    """Under any prefix: the dialect's frames, its terminal event last, the text a function of the prompt."""
    spoken = dialect("openai.chat" if path.endswith(OPENAI) else "anthropic.messages")
    async with Backend(BackendSettings(**QUICK)) as backend:
        response = await _post(http, backend.url + path, _asked(stream=True))
        meanings = [spoken.read_event(frame) for frame in spoken.splitter().feed((await response.text()).encode())]

    assert (response.status, response.headers["content-type"]) == (200, spoken.stream_type)
    assert "".join(meaning.text for meaning in meanings) == TEXT
    assert meanings[-1].kind == Kind.TERMINAL


@pytest.mark.parametrize("name", get_args(ApiName))
@pytest.mark.parametrize("stream", [True, False])
async def test_every_dialect_is_spoken(http: aiohttp.ClientSession, name: str, stream: bool) -> None:
    """Under any prefix, with the media type and the terminal event of the dialect; Gemini's path says if it streams."""
    request = Request.model_validate({"api": name, "stream": stream})
    path = f"/team{dialect(name).request_path('m', stream=stream)}"
    spoken = detect("POST", path)
    async with Backend(BackendSettings(**QUICK)) as backend:
        response = await _post(http, backend.url + path, request_body(request, "m", "hi"))
        body = (await response.text()).encode()
    frames = spoken.splitter().feed(body) if stream else []
    meanings = [*map(spoken.read_event, frames)] or [spoken.read_answer(body)]

    assert response.headers["content-type"] == (spoken.stream_type if stream else "application/json")
    assert "".join(meaning.text for meaning in meanings) == TEXT
    assert bool(meanings[-1].kind & Kind.TERMINAL) == stream


@pytest.mark.parametrize("name", get_args(ApiName))
async def test_every_dialect_refuses_in_its_own_words(http: aiohttp.ClientSession, name: str) -> None:
    """A failing model and a request without a prompt."""
    spoken = dialect(name)
    request = Request.model_validate({"api": name})
    async with Backend(BackendSettings(**QUICK, should_fail={"bad": 503})) as backend:
        failed = await _post(
            http, backend.url + spoken.request_path("bad", stream=True), request_body(request, "bad", "hi")
        )
        refused = await _post(http, backend.url + spoken.request_path("m", stream=True), {"model": "m"})
        bodies = [(await answer.text()).encode() for answer in (failed, refused)]

    assert (failed.status, refused.status) == (503, 400)
    assert [spoken.read_answer(body).kind for body in bodies] == [Kind.ERROR] * 2


@pytest.mark.parametrize("name", ["openai.chat", "anthropic.messages"])
async def test_plain_answer_is_native(http: aiohttp.ClientSession, name: str) -> None:
    """The same text in one JSON body, with its usage."""
    spoken = dialect(name)
    async with Backend(BackendSettings(**QUICK)) as backend:
        response = await _post(http, backend.url + (OPENAI if name == "openai.chat" else ANTHROPIC), _asked())
        meaning = spoken.read_answer((await response.text()).encode())

    assert (response.content_type, meaning.text, meaning.output_tokens) == ("application/json", TEXT, 6)


async def test_usage_comes_in_a_stream_only_when_asked_for(http: aiohttp.ClientSession) -> None:
    """stream_options.include_usage is honoured."""
    async with Backend(BackendSettings(**QUICK)) as backend:
        silent = await (await _post(http, backend.url + OPENAI, _asked(stream=True))).text()
        asked = _asked(stream=True, stream_options={"include_usage": True})
        told = await (await _post(http, backend.url + OPENAI, asked)).text()

    assert "usage" not in silent
    assert '"completion_tokens":6' in told


async def test_events_leave_when_they_are_due(http: aiohttp.ClientSession) -> None:
    """Each token is sent by itself and not before its time; the head does not wait for the first."""
    async with Backend(BackendSettings(tokens=4, ttft=0.1, inter_token=0.05)) as backend:
        clock = asyncio.get_running_loop().time
        began = clock()
        response = await http.post(backend.url + OPENAI, json=_asked(stream=True))
        headed_after = clock() - began
        came_after = []
        async for chunk in response.content.iter_any():
            came_after += [clock() - began] * bool(chunk)

    assert headed_after < came_after[0]
    assert len(came_after) >= 4
    assert came_after[0] >= 0.1
    assert came_after[-1] >= 0.1 + 3 * 0.05


async def test_prompt_tokens_delay_the_first_token(http: aiohttp.ClientSession) -> None:
    """Prefill takes its time in a plain answer too."""
    async with Backend(BackendSettings(tokens=1, ttft=0.0, ttft_per_prompt_token=0.01)) as backend:
        clock = asyncio.get_running_loop().time
        began = clock()
        await _post(http, backend.url + OPENAI, _asked(messages=[{"role": "user", "content": "x" * 40}]))

        assert clock() - began >= 0.1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", OPENAI, b"{", 400, "invalid_request_error"),
        ("POST", ANTHROPIC, b"{}", 400, '"type":"error"'),
        ("GET", OPENAI, b"", 405, "Method Not Allowed"),
        ("POST", "/v1/completions", b"{}", 404, "Not Found"),
        ("POST", "/health", b"", 405, "Method Not Allowed"),
        ("POST", OPENAI, b" " * (BODY_LIMIT_BYTES + 1), 413, "exceeds"),
    ],
)
async def test_bad_request_gets_a_native_error(
    http: aiohttp.ClientSession, method: str, path: str, body: bytes, status: int, words: str
) -> None:
    """Bad JSON, unknown paths, wrong methods, oversized bodies."""
    async with Backend(BackendSettings(**QUICK)) as backend:
        response = await _get(http, backend.url + path, method, data=io.BytesIO(body))

        assert response.status == status
        assert words in await response.text()


async def test_side_doors_are_those_of_vllm(http: aiohttp.ClientSession) -> None:
    """Health, models, version, and what the lab itself counts."""
    async with Backend(BackendSettings(**QUICK, models=("a", "b"))) as backend:
        health = await _get(http, f"{backend.url}/health")
        models = await (await _get(http, f"{backend.url}/v1/models")).json()
        version = await (await _get(http, f"{backend.url}/version")).json()
        stats = await (await _get(http, f"{backend.url}/-/lab/stats")).json()

    assert (health.status, await health.text()) == (200, "")
    assert [model["id"] for model in models["data"]] == ["a", "b"]
    assert "version" in version
    assert (stats["requests"], stats["by_model"]) == (0, {})


async def test_unknown_model_is_not_found(http: aiohttp.ClientSession) -> None:
    """With a list of models others are refused; without one every name is served."""
    async with Backend(BackendSettings(**QUICK, models=("a",))) as backend:
        response = await _post(http, backend.url + OPENAI, _asked(model="b"))

        assert response.status == 404
        assert (await response.json())["error"]["code"] == "model_not_found"


async def test_upstream_that_cannot_stream_answers_plainly(http: aiohttp.ClientSession) -> None:
    """Per model: a streamed answer is asked for and JSON comes."""
    async with Backend(BackendSettings(**QUICK, supports_streaming={"old-*": False})) as backend:
        old = await _post(http, backend.url + OPENAI, _asked(stream=True, model="old-1"))
        new = await _post(http, backend.url + OPENAI, _asked(stream=True, model="new-1"))

        assert (old.content_type, new.content_type) == ("application/json", "text/event-stream")


async def test_failure_is_settable_per_model(http: aiohttp.ClientSession) -> None:
    """A model that should fail does, natively, and after the response delay."""
    settings = BackendSettings(**QUICK, should_fail={"bad": 529}, response_delay=0.05)
    async with Backend(settings) as backend:
        clock = asyncio.get_running_loop().time
        began = clock()
        bad = await _post(http, backend.url + ANTHROPIC, _asked(model="bad"))
        took = clock() - began
        good = await _post(http, backend.url + ANTHROPIC, _asked(model="good"))

        assert (bad.status, good.status) == (529, 200)
        assert (await bad.json())["error"]["type"] == "overloaded_error"
        assert took >= 0.05
        assert backend.stats["failed"] == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_full_queue_refuses(http: aiohttp.ClientSession, status: int) -> None:
    """One at work, one waits, the third is refused; when a place is free the next is taken."""
    settings = BackendSettings.model_validate(
        {"tokens": 1, "ttft": 60.0, "capacity": 1, "queue": 1, "queue_full": status}
    )
    async with Backend(settings) as backend:
        held = [asyncio.create_task(_post(http, backend.url + OPENAI, _asked())) for _ in range(2)]
        await _until(lambda: backend.stats["waiting"] == 1)
        refused = await _post(http, backend.url + OPENAI, _asked())
        for task in held:
            task.cancel()
        await _until(lambda: backend.stats["in_flight"] == 0)

        assert refused.status == status
        assert (backend.stats["refused"], backend.stats["running"], backend.stats["waiting"]) == (1, 0, 0)


async def test_client_that_leaves_is_counted(http: aiohttp.ClientSession) -> None:
    """A closed connection ends the work: abandoned goes up, nothing stays in flight."""
    async with Backend(BackendSettings(tokens=1000, ttft=0.0, inter_token=0.01)) as backend:
        response = await http.post(backend.url + OPENAI, json=_asked(stream=True, max_tokens=1000))
        await response.content.readany()
        response.close()
        await _until(lambda: backend.stats["in_flight"] == 0)

        assert (backend.stats["abandoned"], backend.stats["streams"], backend.stats["by_model"]) == (1, 1, {"m": 1})


async def test_stopping_abandons_nobody(http: aiohttp.ClientSession) -> None:
    """What the backend cuts off itself is not blamed on clients, and nothing listens afterwards."""
    backend = Backend(BackendSettings(tokens=1000, ttft=0.0, inter_token=0.01))
    await backend.start()
    response = await http.post(backend.url + OPENAI, json=_asked(stream=True, max_tokens=1000))
    await response.content.readany()
    await backend.stop()
    response.close()

    assert backend.stats["abandoned"] == 0
    with pytest.raises(aiohttp.ClientConnectorError):
        await http.get(f"{backend.url}/health")


async def test_taken_port_is_said() -> None:
    """A busy port is a part that failed, in words."""
    async with Backend() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(PartFailed, match=str(port)):
            await Backend(port=port).start()


async def test_tool_call_comes_when_forced(http: aiohttp.ClientSession) -> None:
    """Arguments are JSON, streamed or not."""
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]
    async with Backend(BackendSettings(**QUICK)) as backend:
        response = await _post(http, backend.url + OPENAI, _asked(tools=tools, tool_choice="required"))
        call = (await response.json())["choices"][0]["message"]["tool_calls"][0]["function"]

    assert (call["name"], json.loads(call["arguments"])) == ("look_up", {"query": "".join(expected_answer("hi", 4))})
