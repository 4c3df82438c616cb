"""Places that are bytes, over sockets: inside a character of several bytes, inside the arguments of a tool call."""

from __future__ import annotations

import json

import pytest

from chaosproxy.plan.rule import Rule
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from tests.functional.wire_kit import answers, ask, bench, call, plain, stream

ANSWER = Answer("1", "m", 0, ("caf", "é ", "東京"), Finish.TOOL, 3, 4, ToolCall("f", ('{"city": "Paris"}',)))
FRAMES = dialect("openai.chat").stream_frames(ANSWER)
PLAIN = dialect("openai.chat").plain_body(ANSWER)
SPOTS = ["東".encode()[:2], b"Par"]


@pytest.mark.parametrize(
    ("name", "ended"), [("stream.truncate", "end"), ("stream.cut_event", "end"), ("stream.fin", "fin")]
)
@pytest.mark.parametrize("last", SPOTS, ids=["character", "arguments"])
async def test_a_stream_ends_at_a_byte(name: str, ended: str, last: bytes) -> None:
    """Its client gets that byte and no further one, and the journal counts the tokens before it."""
    body = b"".join(FRAMES)
    kept = body[: body.index(last) + len(last)]
    async with bench(answers(stream(FRAMES))) as at:
        rule = {"id": "f", "listeners": ["a"], "do": {"type": name, "where": f"byte:{len(kept)}"}}
        at.proxy.apply([Rule.model_validate(rule)], owner="test", lease_s=60, seed=1)
        answer = await call(at.url, ask())
        record = await at.journal.exchange()

    assert (answer.body, answer.ended) == (kept, ended)
    assert (record.sent.bytes, record.sent.terminal, record.misses) == (len(kept), False, [])
    assert record.sent.tokens == {SPOTS[0]: 2, SPOTS[1]: 3}[last]


@pytest.mark.parametrize(("name", "ended"), [("stream.truncate", "end"), ("stream.fin", "fin")])
@pytest.mark.parametrize("last", SPOTS, ids=["character", "arguments"])
async def test_a_plain_answer_ends_at_a_byte(name: str, ended: str, last: bytes) -> None:
    """It is no JSON any more, whatever the request said about streaming."""
    kept = PLAIN[: PLAIN.index(last) + len(last)]
    async with bench(answers(plain(PLAIN, "200 OK", "Content-Type: application/json"))) as at:
        rule = {"id": "f", "listeners": ["a"], "do": {"type": name, "where": f"byte:{len(kept)}"}}
        at.proxy.apply([Rule.model_validate(rule)], owner="test", lease_s=60, seed=1)
        answer = await call(at.url, ask(stream=False))
        record = await at.journal.exchange()

    assert (answer.body, answer.ended, record.sent.bytes) == (kept, ended, len(kept))
    with pytest.raises(ValueError, match=r"Unterminated|Invalid|unexpected end of data"):
        json.loads(answer.body)
