"""Thirteen gateways with one defect each, and the naive one: every defect shows in its own case, and nowhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import pytest

from chaosproxy.experiment.lab_settings import Defect
from chaosproxy.lab.gateway.cache import Redis
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.base import Dialect
from tests.functional.gateway_client import Scene, ask, scene
from tests.functional.scripted_upstream import (
    PIECES,
    TEXT,
    Script,
    clean,
    first_tokens,
    frames,
    plain,
    reset,
    silence,
    then,
)
from tests.functional.stub_redis import BrokenRedis, StubRedis

OPENAI, ANTHROPIC = dialect("openai.chat"), dialect("anthropic.messages")
BEGUN = "".join(PIECES[:2])
TOTAL_S = 2.0


@dataclass(frozen=True)
class Case:
    """What the primary does, and whether a gateway does the wrong thing about it."""

    primary: Script
    shows: Callable[[Scene], Awaitable[bool]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    cache: Callable[[], Redis] | None = None


async def _hides_the_hole(at: Scene) -> bool:
    got = await ask(at.gateway, OPENAI)
    return got.whole and got.text == TEXT.replace(PIECES[1], "")


async def _begins_again(at: Scene) -> bool:
    got = await ask(at.gateway, OPENAI)
    return got.text == BEGUN + TEXT


async def _asks_nobody_else(at: Scene) -> bool:
    got = await ask(at.gateway, OPENAI)
    return got.status == 500 and not at.secondary.requests


async def _calls_it_finished(at: Scene) -> bool:
    got = await ask(at.gateway, OPENAI)
    return got.whole and (got.text, got.finish) == (BEGUN, "stop")


async def _asks_too_early(at: Scene) -> bool:
    await ask(at.gateway, OPENAI)
    await ask(at.gateway, OPENAI)
    return len(at.primary.requests) > 1


async def _waits_and_waits(at: Scene) -> bool:
    got = await ask(at.gateway, OPENAI)
    return got.took_s >= TOTAL_S


async def _waits_for_the_end(at: Scene) -> bool:
    """What had not reached the client yet can still be replaced, and it comes in one piece."""
    got = await ask(at.gateway, OPENAI)
    return got.whole and got.text == TEXT


async def _keeps_heartbeats_to_itself(at: Scene) -> bool:
    got = await ask(at.gateway, OPENAI)
    return got.text == TEXT and _PING not in got.body


async def _asks_another_about_a_wrong_request(at: Scene) -> bool:
    await ask(at.gateway, OPENAI)
    return bool(at.secondary.requests)


async def _asks_the_last_resort(at: Scene) -> bool:
    for _ in range(2):
        await ask(at.gateway, OPENAI)
    return bool(at.secondary.requests)


async def _replays_a_cut_answer(at: Scene) -> bool:
    await ask(at.gateway, OPENAI)
    got = await ask(at.gateway, OPENAI)
    return (got.status, got.text, got.error) == (200, BEGUN, False) and got.headers["x-cache"] == "HIT"


async def _fails_with_its_cache(at: Scene) -> bool:
    got = await ask(at.gateway, OPENAI)
    return got.status == 500 and not at.primary.requests


async def _gives_up_without_asking(at: Scene) -> bool:
    await ask(at.gateway, OPENAI)
    await ask(at.gateway, OPENAI)
    return len(at.primary.requests) == 1


_PING = b": ping\n\n"
_WHOLE = frames(OPENAI)
_BEGUN = first_tokens(OPENAI, 2)
CASES: dict[Defect, Case] = {
    "no_usage_check": Case(clean(_BEGUN[:-1] + _WHOLE[len(_BEGUN) :]), _hides_the_hole),
    "retry_after_content": Case(then(_BEGUN, reset), _begins_again),
    "no_fallback": Case(plain(b"{}", 500), _asks_nobody_else),
    "invented_stop": Case(clean(_BEGUN), _calls_it_finished),
    "ignored_retry_after": Case(plain(b"{}", 429, {"retry-after": "30"}), _asks_too_early),
    "no_first_token_deadline": Case(silence, _waits_and_waits),
    "buffered_stream": Case(then(_BEGUN, silence), _waits_for_the_end),
    "swallowed_heartbeats": Case(clean([*_BEGUN, _PING, *_WHOLE[len(_BEGUN) :]]), _keeps_heartbeats_to_itself),
    "hidden_client_errors": Case(plain(b"{}", 404), _asks_another_about_a_wrong_request),
    "ignored_weights": Case(clean(_WHOLE), _asks_the_last_resort, {"pool": "primary=1,secondary=0"}),
    "cached_truncation": Case(clean(_BEGUN), _replays_a_cut_answer, cache=StubRedis),
    "required_cache": Case(clean(_WHOLE), _fails_with_its_cache, cache=BrokenRedis),
    "fail_closed": Case(
        plain(b"{}", 500),
        _gives_up_without_asking,
        {"fallback": False, "unhealthy_after": 0, "cooldown": 60.0, "retries": 0},
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("defect", [None, *get_args(Defect)])
async def test_a_defect_shows_in_its_own_case_only(defect: Defect | None, case: Defect) -> None:
    """The resilient gateway passes all cases; each mutant fails exactly the one that is named after it."""
    wanted = CASES[case]
    cache = None if wanted.cache is None else wanted.cache()
    async with scene(
        [wanted.primary], [clean(_WHOLE)], cache=cache, defect=defect, total=TOTAL_S, **wanted.settings
    ) as at:
        shown = await wanted.shows(at)

    assert shown is (defect == case)


async def test_every_defect_has_a_case() -> None:
    """A new defect is one that this file can tell from the others."""
    assert set(CASES) == set(get_args(Defect))


@pytest.mark.parametrize("spoken", [OPENAI, ANTHROPIC], ids=lambda known: known.name)
async def test_the_naive_gateway_passes_a_cut_stream_for_a_finished_one(spoken: Dialect) -> None:
    """A clean early end gets a finish reason and a terminal event that no upstream sent."""
    async with scene([clean(first_tokens(spoken, 2))], [silence], profile="naive") as at:
        got = await ask(at.gateway, spoken)

    assert got.whole
    assert got.text == BEGUN
    assert got.finish in {"stop", "end_turn"}


async def test_the_naive_gateway_waits_long_and_then_believes_the_secondary() -> None:
    """The first drill in small: a silent primary costs the whole deadline, and then a cut answer passes as whole."""
    async with scene([silence], [clean(_BEGUN)], profile="naive", naive_total=0.5) as at:
        got = await ask(at.gateway, OPENAI)

    assert got.took_s >= 0.5
    assert got.whole
    assert got.text == BEGUN
    assert at.gateway.stats["upstreams"]["primary"]["fallbacks"] == 1


async def test_the_naive_gateway_repeats_a_429_at_once() -> None:
    """Retry-After is not read; the last answer goes back as it came."""
    async with scene([plain(b"{}", 429, {"retry-after": "30"})], [silence], profile="naive") as at:
        got = await ask(at.gateway, OPENAI)

    assert (got.status, got.headers["retry-after"]) == (429, "30")
    assert len(at.primary.requests) == 3
    assert at.gateway.stats["upstreams"]["primary"]["retries"] == 2


async def test_the_naive_gateway_asks_once_more_when_no_answer_began() -> None:
    """A 5xx or a broken connection before the head leads to the next upstream, and there the story ends."""
    for failing in (plain(b"{}", 503), reset):
        async with scene([failing], [clean(_WHOLE)], profile="naive") as at:
            assert (await ask(at.gateway, OPENAI)).text == TEXT
    async with scene([plain(b"{}", 503)], [plain(b"{}", 500)], profile="naive") as at:
        assert (await ask(at.gateway, OPENAI)).status == 500
        assert [len(at.primary.requests), len(at.secondary.requests)] == [1, 1]
    async with scene([reset], [reset], profile="naive") as at:
        assert (await ask(at.gateway, OPENAI)).status == 502


async def test_the_naive_gateway_lets_a_broken_stream_break() -> None:
    """A reset in the middle reaches the client as an unclean end, and a lost event does not reach anybody's notice."""
    async with scene([then(_BEGUN, reset)], [clean(_WHOLE)], profile="naive") as at:
        broken = await ask(at.gateway, OPENAI)
    async with scene([CASES["no_usage_check"].primary], [silence], profile="naive") as at:
        holed = await ask(at.gateway, OPENAI)

    assert (broken.text, broken.broken, broken.error) == (BEGUN, True, False)
    assert holed.whole
    assert holed.text == TEXT.replace(PIECES[1], "")


async def test_the_naive_gateway_forwards_bytes() -> None:
    """Whatever is whole passes unaltered, streamed or not."""
    for script, stream in ((clean(_WHOLE), True), (plain(b'{"choices":[]}'), False), (plain(b"{}", 404), True)):
        async with scene([script], [silence], profile="naive") as at:
            got = await ask(at.gateway, OPENAI, stream=stream)

        assert got.body in {b"".join(_WHOLE), b'{"choices":[]}', b"{}"}
