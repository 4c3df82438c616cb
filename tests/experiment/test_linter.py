from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.experiment.linter import lint
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.yaml_text import read_yaml
from tests.experiment.files import LAB, PARTITION, SHIPPED, SMALLEST, problems_of, written

LOSSY: dict[str, Any] = {
    "id": "lossy",
    "target": "secondary",
    "after": "part.healed",
    "delay": "2s",
    "lasts": "20s",
    "share": "20%",
    "do": {"type": "stream.truncate"},
}


def findings(text: str) -> list[str]:
    """What the linter says about a file, without the places."""
    problems = lint(parse_experiment(text, "f.yaml"), read_yaml(text, "f.yaml"))
    return [f"{problem.path}: {problem.message}" for problem in problems]


def found(*faults: dict[str, Any], **sections: Any) -> list[str]:
    """What it says about the lab's file with these faults."""
    return findings(written(faults=list(faults), **sections))


JOURNEY: dict[str, Any] = {"id": "users", "journey": [{"id": "look", "request": {"path": "/models"}}]}


class TestJourneys:
    def test_their_steps_carry_no_tag(self) -> None:
        """So nobody knows what they cost; calls of another load are known."""
        load = [JOURNEY, {"id": "chat"}]
        claim = {"expect": "requests_per_success <= 2", "load": "chat"}

        (finding,) = found(load=load, hypothesis=["requests_per_success <= 2"])
        assert "steps of a journey carry no call tag (load users)" in finding
        assert found(load=load, hypothesis=[claim]) == []

    @pytest.mark.parametrize(
        ("claim", "words"),
        [
            ({"expect": "success >= 90%", "load": "chta"}, "no load is called 'chta', did you mean 'chat'?"),
            ({"expect": "upstream_requests <= 90", "load": "chat"}, "upstream_requests is about all loads"),
            ({"expect": "workflow_success >= 90%", "load": "chat"}, "is about journeys, and no load has one"),
        ],
    )
    def test_a_claim_about_one_load(self, claim: dict[str, Any], words: str) -> None:
        """Which exists, and has what is claimed."""
        assert words in "".join(problems_of(written(load=[JOURNEY, {"id": "chat"}], hypothesis=[claim])))


class TestNothingToSay:
    def test_about_the_smallest_file(self) -> None:
        """A good file is silent."""
        assert findings(SMALLEST) == []

    @pytest.mark.parametrize("stem", ["first-drill", "fakeai"])
    def test_about_the_shipped_ones(self, stem: str) -> None:
        """But for those that are there to be warned about."""
        path = next(path for path in SHIPPED if path.stem == stem)

        assert findings(path.read_text("utf-8")) == []

    def test_places_are_told(self) -> None:
        """A finding is a problem like any other, with line and column."""
        text = SMALLEST.replace("hypothesis:\n", "hypothesis:\n  - ttft.p99 <= 5s\n")
        (problem,) = lint(parse_experiment(text, "f.yaml"), read_yaml(text, "f.yaml"))

        assert str(problem) == (
            "f.yaml:9:5: hypothesis[0]: about 100 calls are expected in the window 'all', p99 needs 1000: "
            "the run may be inconclusive"
        )


class TestMeetsNobody:
    def test_on_a_fallback_while_the_primary_is_healthy(self) -> None:
        """After the heal a good gateway is back on its primary, so the second fault bites nobody."""
        assert found(PARTITION, LOSSY) == [
            (
                "faults[1].target: this fault may meet nobody: secondary is a fallback, and nothing keeps traffic "
                "on it from 27s to 47s; let it overlap with a fault that keeps primary from answering"
            )
        ]

    def test_not_while_the_primary_is_away(self) -> None:
        """The two faults overlap."""
        assert found(PARTITION, {**LOSSY, "after": "part.applied", "lasts": "10s"}) == []

    def test_when_no_request_is_meant(self) -> None:
        """The match asks for what the load never sends."""
        assert found({**LOSSY, "target": "primary", "match": {"model": "gpt-*"}}, PARTITION) == [
            "faults[0].match: this fault may meet nobody: match.model: m is not gpt-*"
        ]

    def test_when_there_is_hardly_any_load(self) -> None:
        """Less than one call while it acts."""
        (problem,) = found({**PARTITION, "lasts": "100ms"}, load={"arrival": {"rate": "1/s"}})

        assert (
            problem
            == "faults[0].target: this fault may meet nobody: the load sends less than one call from 10s to 10.1s"
        )

    @pytest.mark.parametrize(
        ("keys", "message"),
        [
            ({"min_hits": "60"}, "faults[0].min_hits: about 60 hits are expected, min_hits is 60"),
            ({"match": {"nth": "500"}}, "faults[0]: about 0 hits are expected, min_hits is 1"),
            ({"share": "1%"}, "faults[0]: about 3 hits are expected, min_hits is 1"),
        ],
    )
    def test_or_too_few(self, keys: dict[str, Any], message: str) -> None:
        """Chance alone could make the run inconclusive."""
        cut = {**PARTITION, "do": {"type": "stream.truncate"}, "share": "20%", **keys}

        assert found(cut) == [f"{message}: the run may be inconclusive"]

    def test_is_no_matter_where_hits_do_not_count(self) -> None:
        """min_hits 0, and connections that are refused."""
        assert found({**LOSSY, "min_hits": "0"}, PARTITION) == []
        assert found({**PARTITION, "target": "secondary", "do": {"type": "conn.refuse"}}) == []


class TestFaults:
    def test_a_place_beyond_the_answers_is_never_reached(self) -> None:
        """The lab's answers have a known length."""
        cut = {**PARTITION, "do": {"type": "stream.truncate", "where": "token:41"}}

        assert found(cut) == ["faults[0].do.where: the answers have 40 tokens: token:41 is never reached"]
        assert found({**cut, "do": {"type": "stream.truncate", "where": "token:40"}}) == []
        assert found({**cut, "do": {"type": "stream.truncate", "where": "byte:9000"}}) == []

    def test_a_lost_event_of_a_chat_stream_is_hard_to_see(self) -> None:
        """Only usage tells, if it is left."""
        dropped = {**PARTITION, "do": {"type": "sse.drop", "each": "7"}}
        blind = {**PARTITION, "do": {"type": "sse.drop", "each": "7", "never": ["terminal"]}}
        anthropic = {"arrival": {"rate": "20/s"}, "request": {"api": "anthropic.messages"}}

        assert found(dropped) == [
            (
                "faults[0].do: an OpenAI chat stream shows no gap where an event is lost; only one who compares "
                "the text with the reported usage can notice"
            )
        ]
        assert found(blind) == [
            (
                "faults[0].do: an OpenAI chat stream shows no gap where an event is lost; and usage may be lost as "
                "well: then nobody can notice"
            )
        ]
        assert found(dropped, load=anthropic) == []


class TestSamples:
    @pytest.mark.parametrize(
        ("expectation", "message"),
        [
            (
                {"expect": "ttft.p99 <= 5s", "over": "steady"},
                ("about 200 calls are expected in the window 'steady', p99 needs 1000"),
            ),
            (
                {"expect": "ttft.p99 <= 5s", "over": ["all", "part"]},
                ("about 300 calls are expected in the window 'part', p99 needs 1000"),
            ),
            (
                {"expect": "e2e.p50 <= 5s", "min_samples": "5000"},
                ("about 1200 calls are expected in the window 'all', min_samples is 5000"),
            ),
            (
                {"expect": "e2e.p95 <= 5s", "over": "part", "cohort": "in_flight"},
                ("about 20 calls are expected in the window 'part', p95 needs 200"),
            ),
        ],
    )
    def test_may_be_too_few(self, expectation: dict[str, Any], message: str) -> None:
        """Rate times window, computed before anything runs."""
        assert found(PARTITION, hypothesis=[expectation]) == [
            f"hypothesis[0].expect: {message}: the run may be inconclusive"
        ]

    @pytest.mark.parametrize(
        "expectation",
        [
            {"expect": "ttft.p99 <= 5s", "over": "all"},
            {"expect": "icl.p99 <= 5s", "over": "steady"},
            {"expect": "ttft.p99 <= 5s", "over": "origin..drained"},
            {"expect": "ttft.p50 <= 5s", "over": "steady"},
        ],
    )
    def test_are_enough_or_not_known(self, expectation: dict[str, Any]) -> None:
        """Gaps are many per call, and nobody can plan a drain."""
        assert found(PARTITION, hypothesis=[expectation]) == []


class TestContradictions:
    FAILOVER = "failover_time(part) <= 2s"

    def test_a_percentile_over_everything_against_a_failover(self) -> None:
        """40 requests may wait two seconds, more than one in a hundred of all."""
        assert found(PARTITION, hypothesis=[self.FAILOVER, "ttft.p99 <= 800ms"]) == [
            (
                "hypothesis[1]: it contradicts failover_time(part): about 40 calls may wait for the fallback, p99 "
                "leaves 12; look at steady and 'part.applied+2s..part.healed' instead"
            )
        ]

    @pytest.mark.parametrize(
        "expectation",
        [
            "ttft.p90 <= 800ms",
            "ttft.p99 <= 2s",
            {"expect": "ttft.p95 <= 800ms", "over": ["steady", "part.applied+2s..part.healed"]},
            {"expect": "ttft.p95 <= 800ms", "over": "origin..drained"},
            "tpot.p95 <= 800ms",
            "ttft.mean <= 800ms",
        ],
    )
    def test_none(self, expectation: object) -> None:
        """Enough room, a slower bound, other windows, other measures."""
        assert found(PARTITION, hypothesis=[self.FAILOVER, expectation]) == []

    def test_streams_that_are_cut_against_a_share_of_success(self) -> None:
        """Little's law: rate times duration are open when the link breaks."""
        cut = {**PARTITION, "do": {"type": "partition", "live_streams": "cut"}}

        assert found(cut, hypothesis=["success >= 99%"]) == [
            (
                "hypothesis[0]: about 20 calls are open when part begins, and it cuts them; 99% of 1200 does "
                "not allow that; say cohort: new here, and claim something of its own for in_flight"
            )
        ]
        for enough in ("success >= 98%", "success <= 99%", {"expect": "success >= 99%", "cohort": "new"}):
            assert found(cut, hypothesis=[enough]) == []
        assert found(PARTITION, hypothesis=["success >= 99%"]) == []
        assert found(cut, hypothesis=[{"expect": "success >= 99%", "over": "steady"}]) == []

    def test_open_streams_of_strangers_are_not_known(self) -> None:
        """So nothing is said."""
        cut = {**PARTITION, "do": {"type": "partition", "live_streams": "cut"}}
        backends = {"primary": {"upstream": "http://127.0.0.1:1"}, "secondary": {"upstream": "models"}}
        topology = {**LAB["topology"], "backends": backends}
        hypothesis = ["success >= 99%", {"expect": "e2e.p95 <= 5s", "cohort": "in_flight", "over": "part"}]

        assert found(cut, hypothesis=hypothesis, topology=topology) == []

    @pytest.mark.parametrize("measure", ["retries_per_call <= 2", "served_by(primary) >= 50%", "leaked == 0"])
    def test_pooled_prompts_against_what_needs_a_tag(self, measure: str) -> None:
        """Exchanges cannot be joined into calls."""
        name = measure.split("(", maxsplit=1)[0].split(maxsplit=1)[0]

        assert found(load={"id": "chat", "prompts": "pool:5"}, hypothesis=[measure]) == [
            (
                f"hypothesis[0]: prompts of a pool carry no call tag (load chat), so {name} cannot be known for them "
                "unless headers join them"
            )
        ]
        assert found(load={"prompts": "unique"}, hypothesis=[measure]) == []

    def test_a_window_that_goes_on_after_the_timeline(self) -> None:
        """What it would claim there, nobody sees."""
        claim = {"expect": "success >= 1%", "over": ["all", "part.healed..+5m"]}
        (words,) = [words for words in found(PARTITION, hypothesis=[claim]) if "window" in words]

        assert words.startswith("hypothesis[0].over: the window 'part.healed..+5m' ends ")
        assert words.endswith(" after the end of the timeline: the run may be inconclusive")

    def test_no_time_to_recover(self) -> None:
        """The run would end before the bound."""
        recovery = {"expect": "recovery_time(part) <= 5s", "sustained": {"share_of_baseline": "80%", "for": "3s"}}
        late = {**PARTITION, "at": "35s"}
        timeline = {"lasts": "57s", "quiet_tail": "7s"}

        assert found(late, hypothesis=[recovery], timeline=timeline) == [
            "hypothesis[0].expect: 7s are left after part heals, and this may need 8s: let the timeline last longer"
        ]
        assert found(late, hypothesis=[recovery]) == []
        assert found(late, hypothesis=["recovery_time(part) <= 5s"], timeline=timeline) == []

    def test_no_room_for_the_gate_after_the_last_fault(self) -> None:
        """The gate of 4 s must hold again, and a second is left for it."""
        late = {**PARTITION, "at": "35s"}
        gate = {"window": "4s", "expect": ["success >= 99%"]}
        short = {"lasts": "51s", "quiet_tail": "1s"}

        (told,) = found(late, gate=gate, timeline=short)

        assert "the gate looks at 4s, and 1s are left for it after the last fault" in told
        assert found(late, gate=gate) == []
        assert found(late, timeline=short) == []
        assert found(late, gate=gate, timeline=short, heal={"verify": []}) == []


class TestConnections:
    def test_a_toxic_meets_the_requests_of_its_target(self) -> None:
        """Its toxicity counts as a share does."""
        part = {"id": "part", "target": "primary", "at": "10s", "lasts": "1s", "min_hits": 15}
        some = {**part, "do": {"type": "toxic.latency", "latency": "1s", "toxicity": "10%"}}

        assert found({**part, "min_hits": 5, "do": {"type": "toxic.latency", "latency": "1s"}}) == []
        assert found(some) == [
            "faults[0].min_hits: about 2 hits are expected, min_hits is 15: the run may be inconclusive"
        ]

    def test_one_that_cuts_drives_traffic_to_the_fallback(self) -> None:
        """So a fault on the fallback meets somebody meanwhile."""
        cut = {"id": "cut", "target": "primary", "at": "10s", "lasts": "15s", "do": {"type": "toxic.reset_peer"}}
        other = {"id": "other", "target": "secondary", "at": "11s", "lasts": "10s", "do": {"type": "stream.truncate"}}

        assert found(cut, other) == []

    def test_nobody_knows_who_connects_to_a_tcp_port(self) -> None:
        """The load does not, so nothing is said about its hits; and it changes nothing for the others."""
        text = written(faults=[{"id": "slow", "target": "redis", "at": "10s", "do": {"type": "toxic.latency"}}])
        text = text.replace("    secondary:\n", "    redis:\n      upstream: tcp://127.0.0.1:6379\n    secondary:\n")

        assert "redis" in text
        assert findings(text) == []
