"""The search, in virtual time, through the real proxy and lab, against the real SDK and clients of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("openai", reason="the client that is searched in")

from chaosproxy.faults import describe
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule
from chaosproxy.runner.search import Found, Search
from chaosproxy.runner.world import opened
from chaosproxy.search.observation import Asked, Plan, Run, Setting, Target
from chaosproxy.search.promise import Flaw, default_promise
from tests.runner.search_kit import honest_call, openai_call, planted_call

pytestmark = pytest.mark.real
SETTING = Setting()


def _plan(*lines: str) -> Plan:
    return tuple(
        Rule.model_validate({"id": f"f{number}", "listeners": ["primary"], **parse_flat(line)})
        for number, line in enumerate(lines)
    )


@contextmanager
def _search(target: Target, seed: int = 1) -> Iterator[Search]:
    with opened(target, SETTING) as run:
        yield Search(run, default_promise(), SETTING, max_faults=3, seed=seed)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """One world for all of them."""
    with opened(openai_call, SETTING) as run:
        yield run


class TestAWorld:
    def test_without_a_fault_the_text_is_whole(self, run: Run) -> None:
        """One request, no time."""
        seen = run(())

        assert (seen.text, seen.error, len(seen.exchanges)) == (seen.expected, None, 1)

    def test_a_hang_is_a_deadline(self, run: Run) -> None:
        """Keep-alives defeat every timeout of the SDK: the world's own deadline ends it, to the millisecond."""
        seen = run(_plan("time.keepalive_only where=token:1"))

        assert seen.hung
        assert seen.took_s == pytest.approx(SETTING.deadline_s, abs=0.001)

    def test_nothing_of_a_plan_is_left(self, run: Run) -> None:
        """Whatever one plan did to connections, listener or time, the next call is whole again."""
        for line in ("conn.refuse", "toxic.reset_peer", "time.stall where=token:1", "conn.blackhole", "conn.cap"):
            run(_plan(line))
            seen = run(())
            assert (seen.text, len(seen.exchanges)) == (seen.expected, 1), line

    def test_equal_plans_throw_equal_dice(self, run: Run) -> None:
        """Also those that roll some, however many calls came before."""
        plan = _plan("time.inter_token mean=1s jitter=1s dist=normal")
        first, _, second = run(plan), run(()), run(plan)

        assert first.took_s == pytest.approx(second.took_s, abs=1e-4)
        assert first.took_s > 0.1

    def test_requests_are_counted_from_one_in_each_run(self, run: Run) -> None:
        """match.nth means the nth of this call."""
        plan = _plan("http.status status=503 match.first=1", "stream.truncate where=token:2 match.nth=2")

        for _ in range(2):
            seen = run(plan)
            assert [each.sent.status for each in seen.exchanges] == [503, 200]
            assert seen.hit == {"f0", "f1"}


def test_a_blocking_client_is_run_in_real_time() -> None:
    """In a thread: it waits as it would."""

    def call(asked: Asked) -> str:
        openai = pytest.importorskip("openai")
        with openai.OpenAI(base_url=f"{asked.url}/v1", api_key="k", max_retries=0) as client:
            question = [{"role": "user", "content": asked.prompt}]
            stream = client.chat.completions.create(model="m", messages=question, stream=True)
            return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)

    with opened(call, SETTING) as run:
        assert run(()).text == run(()).expected
        assert run(_plan("http.status status=400")).error_type == "openai.BadRequestError"


def _found(target: Target, flaw: Flaw, *, seed: int, examples: int = 5000) -> Found:
    with _search(target, seed) as search:
        return next(found for found in search.findings(examples) if found.broken.flaw is flaw)


def test_known_bugs_of_the_sdk_are_found_again() -> None:
    """From nothing, with the default strategy, before any fault is tried with other settings than its own.

    The whole table of the page, with the other clients: tests/real/search.
    """
    with _search(openai_call) as search:
        found = {each.broken.flaw: each for each in search.findings(60)}

    smallest = {flaw: [describe(rule.do) for rule in each.plan] for flaw, each in found.items()}
    assert smallest[Flaw.SILENT_TRUNCATED] == [{"type": "stream.truncate", "where": "token:1"}]
    assert smallest[Flaw.HUNG] == [{"type": "time.keepalive_only", "where": "token:1"}]
    assert smallest[Flaw.REJECTED] == [{"type": "sse.field"}]
    assert Flaw.SILENT_EMPTY in found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_bug_that_needs_two_faults_is_shrunk_to_these_two(seed: int) -> None:
    """A retry-after and a truncation, with minimal settings; shrinking takes at most 200 runs."""
    found = _found(planted_call, Flaw.SILENT_TRUNCATED, seed=seed)

    told = {rule.do.type: (describe(rule.do), rule.match.model_dump(exclude_defaults=True)) for rule in found.plan}
    assert told == {
        "http.rate_limit": ({"type": "http.rate_limit", "retry_after": "2"}, {"first": 1}),
        "stream.truncate": ({"type": "stream.truncate", "where": "token:1"}, {}),
    }
    assert found.shrinking <= 200


@pytest.mark.slow
def test_an_honest_client_is_not_accused() -> None:
    """Only what its SDK cannot read is found, which is the SDK's fault: no text of it is wrong, and it never hangs."""
    with _search(honest_call) as search:
        flaws = {found.broken.flaw for found in search.findings(900)}

    assert flaws <= {Flaw.REJECTED}
