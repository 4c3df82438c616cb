from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.experiment.claims_of import answer_tokens
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.steady_state.claims import Abort, Expectation, Moment, PlannedFault, Sustained
from chaosproxy.steady_state.expression import parse_expression, parse_window
from tests.experiment.files import LAB, PARTITION, SMALLEST, lab


class TestClaims:
    def test_hold_the_whole_file(self) -> None:
        """Names, times and everything that is judged."""
        hypothesis = [
            "success >= 95%",
            {
                "id": "snappy",
                "expect": "ttft.p99 <= 800ms",
                "over": ["steady", "part.applied+2s..part.healed"],
                "cohort": "new",
                "of": "completed",
                "min_samples": "200",
            },
            {"expect": "failover_time(part) <= 2s", "sustained": {"success": "95%", "for": "3s"}},
            {"expect": "recovery_time(part) <= 5s", "sustained": {"share_of_baseline": "80%", "for": "3s"}},
        ]
        gate = {"window": "4s", "expect": ["success >= 99%"]}
        claims = lab(faults=[PARTITION], hypothesis=hypothesis, gate=gate, question="Why?", name="drill").claims()

        assert (claims.name, claims.question, claims.backends) == ("drill", "Why?", ("primary", "secondary"))
        assert (claims.warmup_s, claims.lasts_s, claims.quiet_tail_s, claims.gate_window_s) == (2.0, 60.0, 10.0, 4.0)
        assert claims.gate == (Expectation("success", parse_expression("success >= 99%"), (parse_window("all"),)),)
        assert claims.hypothesis[1] == Expectation(
            id="snappy",
            expect=parse_expression("ttft.p99 <= 800ms"),
            over=(parse_window("steady"), parse_window("part.applied+2s..part.healed")),
            cohort="new",
            of="completed",
            min_samples=200,
        )
        assert [entry.sustained for entry in claims.hypothesis] == [
            None,
            None,
            Sustained(3.0, success=0.95),
            Sustained(3.0, share_of_baseline=0.8),
        ]

    def test_hold_the_faults_as_planned(self) -> None:
        """One that waits for another has no time of its own; a refused connection leaves no hits."""
        faults = [
            PARTITION,
            {"target": "fallback", "after": "part.healed", "lasts": "3s", "do": {"type": "conn.refuse"}},
        ]

        assert lab(faults=faults).claims().faults == (
            PlannedFault("part", "partition", ("primary",), 1, 10.0, 15.0),
            PlannedFault("conn-refuse", "conn.refuse", ("secondary",), 1, None, 3.0, False, Moment("part.healed")),
        )


class TestAborts:
    def test_have_defaults(self) -> None:
        """Half of the calls failing for 5 s, or twice the planned duration."""
        assert parse_experiment(SMALLEST, "f.yaml").claims().aborts == (
            Abort(parse_expression("error_rate > 50%"), 5.0, 20),
            Abort(parse_expression("elapsed > 44s")),
        )

    def test_of_the_file_replace_them(self) -> None:
        """But for the longest duration, if they say nothing about it."""
        abort: list[Any] = [{"when": "error_rate > 60%", "for": "3s", "min_samples": "7"}]
        mine = Abort(parse_expression("error_rate > 60%"), 3.0, 7)
        wall = Abort(parse_expression("elapsed > 90s"))

        assert lab(abort=abort).claims().aborts == (mine, Abort(parse_expression("elapsed > 124s")))
        assert lab(abort=[*abort, "elapsed > 90s"]).claims().aborts == (mine, wall)

    def test_an_empty_list_leaves_the_time_limit(self) -> None:
        """Whoever writes ``abort: []`` wants to see how bad it gets, but not for ever."""
        (only,) = lab(abort=[]).claims().aborts

        assert only.when.measure == "elapsed"


class TestOracle:
    @pytest.mark.parametrize(
        ("written", "upstream", "oracle"),
        [
            ("auto", "models", "lab"),
            ("auto", "http://127.0.0.1:1", "upstream"),
            ("auto", "gateway", "upstream"),
            ("lab", "models", "lab"),
            ("upstream", "models", "upstream"),
            ("none", "models", "none"),
            ({"equals": "Paris"}, "http://127.0.0.1:1", "lab"),
        ],
    )
    def test_is_the_labs_where_all_answers_are(self, written: object, upstream: str, oracle: str) -> None:
        """Else what the upstream sent; the file may say otherwise."""
        backends = {"primary": {"upstream": upstream}, "secondary": {"upstream": "models"}}
        topology = {**LAB["topology"], "backends": backends}

        assert lab(topology=topology, load={"oracle": written}).claims().oracle == oracle

    def test_is_the_upstreams_where_lab_backends_differ(self) -> None:
        """Answers of two lengths: the load cannot know which one comes, and what was sent can be read afterwards."""
        backends = {"primary": {"upstream": "models"}, "secondary": {"upstream": "spare"}}
        systems = {**LAB["systems"], "spare": {**LAB["systems"]["models"], "tokens": 30}}
        experiment = lab(systems=systems, topology={**LAB["topology"], "backends": backends})

        assert (answer_tokens(experiment), experiment.claims().oracle) == (None, "upstream")

    def test_is_the_labs_behind_a_listener_before_the_system(self) -> None:
        """What the gateway passes on is no answer of a backend, and its calls are no requests at one."""
        gateway = {"lab": "gateway", "upstreams": {"primary": "${listener.primary}"}}
        topology = {
            "entry": "${listener.front}",
            "backends": {"front": {"upstream": "gateway"}, "primary": {"upstream": "models"}},
        }
        claims = lab(systems={**LAB["systems"], "gateway": gateway}, topology=topology).claims()

        assert (claims.front, claims.oracle, claims.answered_by) == ("front", "lab", "mock")
        assert lab(topology={**LAB["topology"], "entry": "${listener.primary}"}).claims().front is None
