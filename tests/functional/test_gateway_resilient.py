"""The resilient gateway against upstreams that fail in every way: before the first content, and after it."""

from __future__ import annotations

import asyncio

import pytest

from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import Dialect
from tests.functional.gateway_client import ask, page, scene
from tests.functional.scripted_upstream import (
    HEAD,
    PIECES,
    TEXT,
    Conversation,
    Script,
    bad_chunk_size,
    clean,
    fin,
    first_tokens,
    frames,
    only_comments,
    plain,
    reset,
    silence,
    then,
)

OPENAI, ANTHROPIC = dialect("openai.chat"), dialect("anthropic.messages")
CHATS = [OPENAI, ANTHROPIC]
both = pytest.mark.parametrize("spoken", CHATS, ids=lambda known: known.name)

MALFORMED = b'event: content_block_delta\ndata: {"choices": [{"delta"\n\n'


def before_content(spoken: Dialect) -> dict[str, Script]:
    """Failures while nothing has reached the client."""
    opening = first_tokens(spoken, 0)
    _, error_body = spoken.error(500, error_type=None, code=None, message=None)
    return {
        "reset before the head": reset,
        "FIN before the head": fin,
        "silence": silence,
        "status 500": plain(error_body, 500),
        "status 429": plain(error_body, 429),
        "status 529": plain(error_body, 529),
        "error body with status 200": plain(error_body),
        "HTML with status 200": plain(b"<html>login</html>", content_type="text/html"),
        "nothing with status 200": plain(b""),
        "null with status 200": plain(b"null"),
        "an empty stream": clean([]),
        "only the terminal event": clean(frames(spoken)[-1:]),
        "an answer without content": clean([*opening, *frames(spoken)[-2:]]),
        "error event": clean([*opening, spoken.error_event(None, None)]),
        "malformed event": clean([*opening, MALFORMED]),
        "JSON null as an event": clean([*opening, b"data: null\n\n"]),
        "clean end": clean(opening),
        "FIN": then(opening, fin),
        "reset": then(opening, reset),
        "silence after the head": then(opening, silence),
        "only comments": then(opening, only_comments),
        "HTML in the stream": clean([b"<html>login</html>"]),
        "bad chunk size": then(opening, bad_chunk_size),
    }


def after_content(spoken: Dialect) -> dict[str, Script]:
    """Failures once two tokens were sent."""
    begun, whole = first_tokens(spoken, 2), frames(spoken)
    return {
        "clean end": clean(begun),
        "FIN": then(begun, fin),
        "reset": then(begun, reset),
        "silence": then(begun, silence),
        "only comments": then(begun, only_comments),
        "bad chunk size": then(begun, bad_chunk_size),
        "error event": clean([*begun, spoken.error_event(None, None)]),
        "malformed event": clean([*begun, MALFORMED, *whole[len(begun) :]]),
        "HTML in the stream": clean([*begun, b"<html>login</html>"]),
        "half an event": clean([*begun, whole[len(begun)][:20]]),
        "only the terminal event is missing": clean(whole[:-1]),
        "a lost event": clean(begun[:-1] + whole[len(begun) :]),
        "an event twice": clean([*begun, *begun[-1:], *whole[len(begun) :]]),
    }


@both
@pytest.mark.parametrize("case", before_content(OPENAI))
async def test_before_the_first_content_every_failure_is_made_good_elsewhere(spoken: Dialect, case: str) -> None:
    """Whatever goes wrong before the first content, the client gets the next upstream's answer and nothing else."""
    async with scene([before_content(spoken)[case]], [clean(frames(spoken))]) as at:
        got = await ask(at.gateway, spoken)
        stats = at.gateway.stats["upstreams"]

    assert got.whole
    assert got.text == TEXT
    assert [stats["primary"][count] for count in ("requests", "failures", "retries", "fallbacks")] == [1, 1, 0, 1]
    assert [stats["secondary"][count] for count in ("requests", "failures", "retries", "fallbacks")] == [1, 0, 0, 0]


async def test_a_refused_connection_is_made_good_elsewhere() -> None:
    """Nobody listens at the primary, and the client does not notice."""
    async with scene([fin], [clean(frames(OPENAI))]) as at:
        at.primary._server.close()
        await at.primary._server.wait_closed()
        got = await ask(at.gateway, OPENAI)

    assert got.whole
    assert got.text == TEXT


@both
@pytest.mark.parametrize("case", after_content(OPENAI))
async def test_after_the_first_content_every_failure_is_told(spoken: Dialect, case: str) -> None:
    """What goes wrong after the first content becomes the dialect's error event: no silent end, no second answer."""
    async with scene([after_content(spoken)[case]], [clean(frames(spoken))]) as at:
        got = await ask(at.gateway, spoken)

    assert (got.status, got.error, got.ended, got.broken) == (200, True, False, False)
    assert got.text.startswith(PIECES[0])
    assert at.gateway.stats["upstreams"]["primary"]["failures"] == 1
    assert at.secondary.requests == []


@both
async def test_an_event_that_was_lost_shows_in_the_count_of_tokens(spoken: Dialect) -> None:
    """The text with a hole was forwarded already, so the error event says how many tokens are missing."""
    async with scene([after_content(spoken)["a lost event"]], [silence]) as at:
        got = await ask(at.gateway, spoken)

    assert got.text == TEXT.replace(PIECES[1], "")
    assert "5 events came of 6 tokens" in got.body.decode()


async def test_without_usage_nothing_can_be_vouched_for() -> None:
    """An upstream that reports no usage is not believed while one token per event is promised."""
    async with scene([clean(frames(OPENAI, include_usage=False))], [silence]) as at:
        got = await ask(at.gateway, OPENAI)
    async with scene([clean(frames(OPENAI, include_usage=False))], [silence], one_token_per_event=False) as at:
        trusting = await ask(at.gateway, OPENAI)

    assert got.error
    assert trusting.whole


@both
async def test_a_whole_plain_answer_passes_as_it_is(spoken: Dialect) -> None:
    """A plain answer keeps its bytes and status; one that is none is made good elsewhere."""
    body = spoken.plain_body(Answer("1", "m", 0, PIECES, output_tokens=len(PIECES)))
    for primary in (plain(body), plain(b"<html>"), plain(b""), plain(b"{}", 503), silence):
        async with scene([primary], [plain(body)], plain_answer=0.3) as at:
            got = await ask(at.gateway, spoken, stream=False)

        assert (got.status, got.body) == (200, body)


async def test_the_clients_own_mistakes_go_back_unaltered() -> None:
    """A 4xx of the upstream is the client's to see: not asked elsewhere, no sign of bad health."""
    body = b'{"error":{"message":"no such model"}}'
    async with scene([plain(body, 404, {"x-request-id": "r1"})], [silence], unhealthy_after=0) as at:
        got = [await ask(at.gateway, OPENAI), await ask(at.gateway, OPENAI)][-1]
        health = await page(at.gateway, "/health")

    assert (got.status, got.body, got.headers["x-request-id"]) == (404, body, "r1")
    assert at.secondary.requests == []
    assert health == {"status": "ok", "upstreams": {"primary": True, "secondary": True}}


async def test_requests_travel_whole_but_for_what_belongs_to_the_connection() -> None:
    """Headers, prompt and unknown fields reach the upstream; only hop-by-hop fields and the encoding are ours."""
    sent = {"authorization": "Bearer secret", "x-tenant": "a1", "connection": "x-hop", "x-hop": "1", "te": "trailers"}
    async with scene([clean(frames(OPENAI))], [silence]) as at:
        await ask(at.gateway, OPENAI, headers=sent, tools=[{"type": "function"}], seed=7)
    request = at.primary.requests[0]

    assert (request.headers["authorization"], request.headers["x-tenant"]) == ("Bearer secret", "a1")
    assert request.headers["accept-encoding"] == "identity"
    assert not {"x-hop", "te"} & request.headers.keys()
    assert request.json["messages"] == [{"role": "user", "content": "cp-abcd-1"}]
    assert (request.json["tools"], request.json["seed"]) == ([{"type": "function"}], 7)
    assert request.json["stream_options"] == {"include_usage": True}


async def test_only_who_asks_for_usage_sees_it() -> None:
    """The usage event that the gateway asks for itself is kept from clients that did not."""
    async with scene([clean(frames(OPENAI))], [silence]) as at:
        without = await ask(at.gateway, OPENAI)
        with_usage = await ask(at.gateway, OPENAI, stream_options={"include_usage": True})

    assert b'"completion_tokens"' not in without.body
    assert with_usage.body == b"".join(frames(OPENAI))


async def test_a_stream_that_stays_open_after_its_end_is_over_for_the_client() -> None:
    """After the terminal event the answer is whole, whatever the connection does."""
    for after in (silence, fin, reset):
        async with scene([then(frames(OPENAI), after)], [silence]) as at:
            got = await ask(at.gateway, OPENAI)

        assert got.whole
        assert got.text == TEXT


async def test_when_nobody_answers_the_client_gets_the_reasons() -> None:
    """All upstreams failed in all rounds: one error of the dialect, with a status that fits and a reason for each."""
    async with scene([plain(b"{}", 500)], [silence], retries=1) as at:
        got = await ask(at.gateway, OPENAI)

    assert got.status == 504
    assert b"primary: status 500; secondary: no answer in time" in got.body
    assert [len(at.primary.requests), len(at.secondary.requests)] == [2, 2]
    assert at.gateway.stats["upstreams"]["primary"]["retries"] == 1


async def test_the_total_deadline_bounds_everything() -> None:
    """A slow stream that always makes progress still ends, with an error event."""

    async def drip(peer: Conversation) -> None:
        await peer.send(HEAD)
        while True:
            await peer.chunk(first_tokens(OPENAI, 1)[-1])
            await asyncio.sleep(0.01)

    async with scene([drip], [silence], total=0.3) as at:
        got = await ask(at.gateway, OPENAI)

    assert got.error
    assert not got.ended
    assert at.secondary.requests == []
