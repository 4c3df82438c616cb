"""What the gateway learns from one call for the next: capability, health, Retry-After; and when its client leaves."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import aiohttp
import pytest

from chaosproxy.errors import PartFailed
from chaosproxy.experiment.lab_settings import GatewaySettings
from chaosproxy.lab.gateway import Gateway
from chaosproxy.lab.gateway.capability import Capability
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall
from chaosproxy.wire.dialects.base import Dialect
from tests.functional.gateway_client import PATHS, ask, page, scene
from tests.functional.scripted_upstream import (
    PIECES,
    TEXT,
    Script,
    ScriptedUpstream,
    clean,
    first_tokens,
    frames,
    plain,
    reset,
    silence,
    then,
)

OPENAI, ANTHROPIC = dialect("openai.chat"), dialect("anthropic.messages")
both = pytest.mark.parametrize("spoken", [OPENAI, ANTHROPIC], ids=lambda known: known.name)


def plain_answer(spoken: Dialect) -> Script:
    """TEXT as a whole plain answer."""
    return plain(spoken.plain_body(Answer("1", "m", 0, PIECES, output_tokens=len(PIECES))))


# capability ----------------------------------------------------------------------------------------------------------


@both
async def test_a_plain_answer_to_a_streamed_request_is_wrapped_and_remembered(spoken: Dialect) -> None:
    """The first answer shows that the upstream does not stream; from then on it is asked plainly."""
    async with scene([plain_answer(spoken)], [silence]) as at:
        got = [await ask(at.gateway, spoken) for _ in range(3)]
        health = await page(at.gateway, "/health/streaming")
    asked = [request.json["stream"] for request in at.primary.requests]

    assert all(answer.whole and answer.text == TEXT for answer in got)
    assert got[0].body.count(spoken.stream_frames(Answer("1", "m", 0))[-1]) == 1
    assert asked == [True, False, False]
    assert at.gateway.stats["upstreams"]["primary"] | {"requests": 3, "failures": 0} == {
        "requests": 3,
        "failures": 0,
        "retries": 0,
        "fallbacks": 0,
        "capability_hits": 2,
        "capability_misses": 1,
    }
    assert health["upstreams"]["primary"]["streams"] is False
    assert health["upstreams"]["secondary"]["streams"] is None


async def test_what_was_remembered_expires() -> None:
    """With a time to live of nothing every call detects again, and the upstream may have learnt to stream."""
    async with scene([plain_answer(OPENAI), clean(frames(OPENAI))], [silence], capability_ttl=0.0) as at:
        got = [await ask(at.gateway, OPENAI) for _ in range(2)]

    assert [answer.text for answer in got] == [TEXT, TEXT]
    assert [request.json["stream"] for request in at.primary.requests] == [True, True]
    assert at.gateway.stats["upstreams"]["primary"]["capability_misses"] == 2


async def test_a_memory_that_fails_costs_no_call() -> None:
    """When the store raises on everything, each call detects again and succeeds."""

    class Broken:
        def get(self, key: tuple[str, str]) -> Capability | None:
            raise ConnectionError

        def put(self, key: tuple[str, str], capability: Capability) -> None:
            raise ConnectionError

    async with ScriptedUpstream([plain_answer(OPENAI)]) as upstream:
        settings = GatewaySettings(upstreams={"only": upstream.url})
        async with Gateway(settings, capabilities=Broken()) as gateway:
            got = [await ask(gateway, OPENAI) for _ in range(2)]

    assert all(answer.whole for answer in got)
    assert [request.json["stream"] for request in upstream.requests] == [True, True]


async def test_without_fallback_nothing_stands_in() -> None:
    """A plain answer is not wrapped and the secondary is not asked: the client gets the error."""
    for primary in (plain_answer(OPENAI), plain(b"{}", 500), reset):
        async with scene([primary], [clean(frames(OPENAI))], fallback=False) as at:
            got = await ask(at.gateway, OPENAI)

        assert got.status in {500, 502}
        assert at.secondary.requests == []


@both
async def test_tool_calls_pass_unaltered_and_are_wrapped_whole(spoken: Dialect) -> None:
    """The deltas of a streamed call keep their bytes; of a plain answer the arguments arrive in one piece."""
    tool = ToolCall("look", ('{"query":', '"東京"', "}"))
    answer = Answer("1", "m", 0, (), Finish.TOOL, output_tokens=3, tool=tool, include_usage=True)
    streamed = spoken.stream_frames(answer)
    async with scene([clean(streamed)], [silence]) as at:
        passed = await ask(at.gateway, spoken, stream_options={"include_usage": True})
    async with scene([plain(spoken.plain_body(answer))], [silence]) as at:
        wrapped = await ask(at.gateway, spoken)

    assert passed.body == b"".join(frame for frame in streamed if b'"type":"ping"' not in frame)
    assert wrapped.whole
    assert wrapped.text == tool.arguments
    assert b'"look"' in wrapped.body


# health --------------------------------------------------------------------------------------------------------------


async def test_six_failures_in_a_row_take_an_upstream_out() -> None:
    """Five are forgiven; after the sixth calls go to the next upstream at once, and the pages say so."""
    async with scene([plain(b"{}", 500)], [clean(frames(OPENAI))], cooldown=60.0) as at:
        for _ in range(5):
            await ask(at.gateway, OPENAI)
        before = await page(at.gateway, "/health")
        for _ in range(3):
            assert (await ask(at.gateway, OPENAI)).text == TEXT
        after = await page(at.gateway, "/health")
        detail = (await page(at.gateway, "/health/streaming"))["upstreams"]["primary"]

    assert before == {"status": "ok", "upstreams": {"primary": True, "secondary": True}}
    assert after == {"status": "degraded", "upstreams": {"primary": False, "secondary": True}}
    assert len(at.primary.requests) == 6
    assert (detail["healthy"], detail["failures_in_row"]) == (False, 6)


async def test_one_live_request_tries_it_again_and_one_success_brings_it_back() -> None:
    """After the cooldown a single request is the trial: it falls back when that fails, and returns when it succeeds."""
    scripts = [plain(b"{}", 500), silence, clean(frames(OPENAI))]
    async with scene(scripts, [clean(frames(OPENAI))], unhealthy_after=0, cooldown=0.0, trial_first_token=0.1) as at:
        got = [await ask(at.gateway, OPENAI) for _ in range(3)]
        health = await page(at.gateway, "/health")

    assert all(answer.whole and answer.text == TEXT for answer in got)
    assert len(at.secondary.requests) == 2
    assert health["status"] == "ok"


async def test_only_one_request_at_a_time_is_the_trial() -> None:
    """While the trial is under way, all other calls go to the next upstream without waiting."""
    scripts = [plain(b"{}", 500), silence]
    async with scene(scripts, [clean(frames(OPENAI))], unhealthy_after=0, cooldown=0.0, trial_first_token=1.0) as at:
        await ask(at.gateway, OPENAI)
        got = await asyncio.gather(*(ask(at.gateway, OPENAI) for _ in range(5)))

    assert all(answer.whole for answer in got)
    assert len(at.primary.requests) == 2
    assert sum(answer.took_s < 1.0 for answer in got) == 4


async def test_when_nobody_is_healthy_everybody_is_asked() -> None:
    """To skip the last upstream would help nobody."""
    async with scene(
        [plain(b"{}", 500), clean(frames(OPENAI))], [reset], unhealthy_after=0, cooldown=60.0, retries=0
    ) as at:
        first = await ask(at.gateway, OPENAI)
        unhealthy = await page(at.gateway, "/health")
        second = await ask(at.gateway, OPENAI)

    assert first.status == 502
    assert not any(unhealthy["upstreams"].values())
    assert second.whole


# Retry-After ---------------------------------------------------------------------------------------------------------


async def test_an_upstream_rests_as_long_as_it_asks() -> None:
    """After a 429 with Retry-After the next calls go elsewhere; that is no failure of its health."""
    async with scene([plain(b"{}", 429, {"retry-after": "30"})], [clean(frames(OPENAI))], unhealthy_after=0) as at:
        got = [await ask(at.gateway, OPENAI) for _ in range(3)]
        detail = (await page(at.gateway, "/health/streaming"))["upstreams"]["primary"]

    assert all(answer.whole for answer in got)
    assert len(at.primary.requests) == 1
    assert detail["healthy"]
    assert 29 < detail["resting_s"] <= 30


async def test_when_all_rest_for_long_the_client_is_told_for_how_long() -> None:
    """No call waits longer than backoff_max: 429 with the shortest rest, at once."""
    tomorrow = formatdate(1_000_000_040, usegmt=True)
    upstreams = [plain(b"{}", 429, {"retry-after": "50"})], [plain(b"{}", 503, {"retry-after": tomorrow})]
    async with ScriptedUpstream(upstreams[0]) as first, ScriptedUpstream(upstreams[1]) as second:
        settings = GatewaySettings(upstreams={"a": first.url, "b": second.url})
        async with Gateway(settings, wall=lambda: 1_000_000_000.0) as gateway:
            await ask(gateway, OPENAI)
            got = await ask(gateway, OPENAI)

    assert (got.status, got.headers["retry-after"]) == (429, "40")
    assert [len(first.requests), len(second.requests)] == [1, 1]


async def test_a_short_rest_is_waited_for() -> None:
    """With nobody else to ask, the call waits out a fraction of a second and then succeeds."""
    resting = [plain(b"{}", 429, {"retry-after": "0.2"}), clean(frames(OPENAI))]
    async with scene(resting, [plain(b"{}", 429, {"retry-after": "30"})]) as at:
        got = await ask(at.gateway, OPENAI)

    assert got.whole
    assert at.primary.requests[1].at - at.primary.requests[0].at >= 0.2
    assert len(at.secondary.requests) == 1


# the edges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["naive", "resilient"])
async def test_a_client_that_leaves_cancels_the_upstream(profile: str) -> None:
    """The connection to the upstream closes, before the head and in mid-stream; health does not suffer."""
    for primary in (silence, then(first_tokens(OPENAI, 1), silence)):
        async with scene([primary], [silence], profile=profile, first_token=30.0, between_events=30.0) as at:
            call = asyncio.ensure_future(ask(at.gateway, OPENAI))
            async with asyncio.timeout(5):
                await at.primary.asked.wait()
                call.cancel()
                await at.primary.left.wait()

        assert at.gateway.stats["upstreams"]["primary"]["failures"] == 0
        assert at.secondary.requests == []


async def test_other_paths_pass_too() -> None:
    """What is no chat goes to the first upstream that answers, as bytes."""
    async with scene([plain(b"{}", 500)], [plain(b'{"data":[]}')]) as at:
        models = await page(at.gateway, "/v1/models?limit=2")

    assert models == {"data": []}
    assert at.secondary.requests[0].path == "/v1/models?limit=2"


async def test_a_body_that_is_no_request_is_the_upstreams_to_refuse() -> None:
    """The gateway does not parse what it need not."""
    async with (
        scene([plain(b'{"error":1}', 400)], [silence]) as at,
        aiohttp.ClientSession() as session,
        session.post(at.gateway.url + PATHS["openai.chat"], data=b"[not json") as response,
    ):
        body = await response.read()

    assert (response.status, body) == (400, b'{"error":1}')
    assert at.primary.requests[0].body == b"[not json"


async def test_a_taken_port_is_said_in_words() -> None:
    """Starting on a port in use raises PartFailed."""
    settings = GatewaySettings(upstreams={"a": "http://127.0.0.1:1"})
    async with Gateway(settings) as running:
        with pytest.raises(PartFailed, match="lab gateway: cannot listen on"):
            await Gateway(settings, port=int(running.url.rpartition(":")[2])).start()


async def test_secrets_do_not_reach_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither keys nor prompts nor upstream bodies are logged, whatever fails."""
    secret = {"authorization": "Bearer sk-secret-1"}
    async with scene([plain(b"leaky-body", 500), reset], [plain(b"leaky-body", 503)]) as at:
        await ask(at.gateway, OPENAI, headers=secret)
    said = "".join(capfd.readouterr())

    assert "upstream_failed" in said
    assert not any(word in said for word in ("sk-secret-1", "cp-abcd-1", "leaky-body"))
