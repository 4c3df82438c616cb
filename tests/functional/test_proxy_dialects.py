"""Every dialect through a proxy: the path tells it, its streams are read, and faults find their places in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from chaosproxy.events import Kind
from chaosproxy.experiment.load_settings import Request as Asked
from chaosproxy.lab.load.request_body import request_body
from chaosproxy.plan.rule import Rule
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer as Said
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.names import ApiName
from tests.functional.wire_kit import Answer, Bench, answers, bench, call, plain, stream

SAID = Said("1", "m", 1_700_000_000, ("one ", "two ", "three"), prompt_tokens=3, output_tokens=3, include_usage=True)
every = pytest.mark.parametrize("spoken", [*map(dialect, get_args(ApiName))], ids=lambda spoken: str(spoken.name))


async def _call(at: Bench, spoken: Dialect, do: Mapping[str, Any] | None = None) -> Answer:
    """Ask for a stream, with one fault or with none."""
    if do is not None:
        rule = Rule.model_validate({"id": "f", "listeners": ["a"], "do": do, "match": {"model": "m", "stream": True}})
        at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
    request = Asked.model_validate({"api": spoken.name})
    body = json.dumps(request_body(request, "m", "hi")).encode()
    head = f"POST /team{spoken.request_path('m', stream=True)} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}"
    return await call(at.url, f"{head}\r\n\r\n".encode() + body)


def _text(spoken: Dialect, answer: Answer) -> str:
    return "".join(spoken.read_event(frame).text for frame in spoken.splitter().feed(answer.body))


@every
async def test_a_stream_passes_and_is_read(spoken: Dialect) -> None:
    """Byte for byte; the journal knows who spoke, and what was said."""
    frames = spoken.stream_frames(SAID)
    async with bench(answers(stream(frames, spoken.stream_type))) as at:
        answer = await _call(at, spoken)
        record = await at.journal.exchange()

    assert answer.pieces == frames
    assert (record.dialect, record.model, record.stream) == (spoken.name, "m", True)
    assert (record.sent.tokens, record.sent.terminal, record.sent.error_event) == (3, True, False)
    assert not record.sent.malformed
    assert (record.sent.prompt_tokens, record.sent.output_tokens) == (3, 3)
    assert record.sent.text.chars == len(SAID.text)


@every
async def test_a_stream_is_cut_after_a_token(spoken: Dialect) -> None:
    """Tokens are counted in every dialect."""
    async with bench(answers(stream(spoken.stream_frames(SAID), spoken.stream_type))) as at:
        answer = await _call(at, spoken, {"type": "stream.truncate", "where": "token:2"})
        record = await at.journal.exchange()

    assert (_text(spoken, answer), answer.ended) == ("one two ", "end")
    assert (record.attached, record.sent.tokens, record.sent.terminal) == (["f"], 2, False)


@every
async def test_an_error_comes_in_mid_stream(spoken: Dialect) -> None:
    """As an event of the dialect; the array ends as an array."""
    async with bench(answers(stream(spoken.stream_frames(SAID), spoken.stream_type))) as at:
        answer = await _call(at, spoken, {"type": "llm.error_event", "where": "token:2"})
        record = await at.journal.exchange()
    frames = spoken.splitter().feed(answer.body)

    assert _text(spoken, answer) == "one two "
    assert any(spoken.read_event(frame).kind & Kind.ERROR for frame in frames)
    assert record.sent.error_event
    if spoken.name == "gemini.array":
        assert len(json.loads(answer.body)) == 3


@every
async def test_an_end_has_no_mark(spoken: Dialect) -> None:
    """All words, and neither reason nor terminal event."""
    async with bench(answers(stream(spoken.stream_frames(SAID), spoken.stream_type))) as at:
        answer = await _call(at, spoken, {"type": "llm.no_terminal", "which": "both"})
        record = await at.journal.exchange()

    assert _text(spoken, answer) == SAID.text
    assert (record.sent.terminal, record.sent.finish) == (False, None)


@every
@pytest.mark.parametrize(("retry_after", "delay"), [("7", "7s"), ("soon", "22s")])
async def test_a_limit_is_told_in_the_dialects_words(spoken: Dialect, retry_after: str, delay: str) -> None:
    """Gemini says in the body when to come back."""
    async with bench(answers(b"")) as at:
        answer = await _call(at, spoken, {"type": "http.rate_limit", "retry_after": retry_after})

    assert (answer.status, spoken.read_answer(answer.body).kind) == (429, Kind.ERROR)
    assert f"retry-after: {retry_after}" in answer.fields
    assert (f'"retryDelay":"{delay}"'.encode() in answer.body) == spoken.name.startswith("gemini")


@pytest.mark.parametrize(
    ("broken", "malformed"),
    [
        (b'data: {"choices": [{"delta": {"con\n\n', True),
        (b"data: caf\xe9\n\n", True),
        (b": a comment\n\n", False),
        (b"data: null\n\n", False),
    ],
)
async def test_an_event_that_no_client_can_read(broken: bytes, malformed: bool) -> None:
    """The journal says so, for SDKs raise there: nothing after it is passed off as whole."""
    spoken = dialect("openai.chat")
    first, *others = spoken.stream_frames(SAID)
    async with bench(answers(stream([first, broken, *others], spoken.stream_type))) as at:
        await _call(at, spoken)
        record = await at.journal.exchange()

    assert (record.sent.malformed, record.sent.terminal) == (malformed, True)


async def test_half_an_event_at_the_end_is_dropped_by_clients() -> None:
    """It is cut off, not broken."""
    spoken = dialect("openai.chat")
    frames = spoken.stream_frames(SAID)[:2]
    async with bench(answers(stream([*frames, b'data: {"choices": [{"del'], spoken.stream_type))) as at:
        await _call(at, spoken)
        record = await at.journal.exchange()

    assert not record.sent.malformed


@pytest.mark.parametrize(
    ("body", "error", "malformed"), [(b'{"error": {"message": "no"}}', True, False), (b"<html>", False, True)]
)
async def test_a_plain_answer_that_is_none(body: bytes, error: bool, malformed: bool) -> None:
    """A 200 whose body says error, or nothing that a client could read."""
    spoken = dialect("openai.chat")
    async with bench(answers(plain(body))) as at:
        await _call(at, spoken)
        record = await at.journal.exchange()

    assert (record.sent.error_event, record.sent.malformed) == (error, malformed)
