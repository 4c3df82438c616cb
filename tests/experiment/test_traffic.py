from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.experiment.traffic import Meeting, answer_s, calls_between, meeting, tokens_of
from tests.experiment.files import LAB, PARTITION, lab

CUT: dict[str, Any] = {
    "id": "cut",
    "target": "secondary",
    "at": "12s",
    "lasts": "10s",
    "do": {"type": "stream.truncate"},
}


def met(*faults: dict[str, Any], **sections: Any) -> Meeting:
    """What the last of these faults is expected to meet."""
    experiment = lab(faults=list(faults), **sections)
    return meeting(experiment, experiment.spans()[-1])


class TestCalls:
    @pytest.mark.parametrize(
        ("load", "start_s", "end_s", "calls"),
        [
            ({"arrival": {"rate": "20/s"}}, 0, 10, 200),
            ({"arrival": {"rate": "20/s"}}, -5, 1, 60),
            ({"arrival": {"rate": "20/s"}}, 59, 70, 20),
            ({"arrival": {"rate": "20/s"}}, 10, 5, 0),
            ({"arrival": {"steps": [{"rate": "10/s", "lasts": "10s"}, {"rate": "50/s", "lasts": "5s"}]}}, 5, 20, 550),
            ({"arrival": {"rate": "5/s"}, "calls": "10"}, 0, 60, 10),
            ({"arrival": {"rate": "5/s"}, "calls": "10"}, 1, 60, 5),
            ({"arrival": {"rate": "5/s"}, "calls": "10"}, -2, 0, 0),
        ],
    )
    def test_are_counted_by_intended_time(
        self, load: dict[str, Any], start_s: float, end_s: float, calls: float
    ) -> None:
        """Warm-up, steps and a limited number of calls included."""
        experiment = lab(load=load)

        assert calls_between(experiment, experiment.loads[0], start_s, end_s) == pytest.approx(calls)


class TestMeeting:
    def test_a_regular_backend_gets_everything(self) -> None:
        """Rate times duration; a share of it is hit."""
        cut = {**CUT, "target": "primary", "share": "20%"}

        expected = met(cut)

        assert (expected.requests, expected.matching) == (200, 200)
        assert expected.hits == pytest.approx(40)

    def test_two_regular_backends_share(self) -> None:
        """Without roles, or with the same one."""
        topology = {**LAB["topology"], "backends": {"a": {"upstream": "models"}, "b": {"upstream": "models"}}}
        systems = {**LAB["systems"], "gateway": {"lab": "gateway", "upstreams": {"a": "${listener.a}"}}}

        assert met({**CUT, "target": "b"}, topology=topology, systems=systems).requests == 100
        assert met({**CUT, "target": ["a", "b"]}, topology=topology, systems=systems).requests == 200

    def test_a_fallback_gets_nothing_while_all_is_well(self) -> None:
        """The fault would meet nobody."""
        assert met(CUT) == Meeting(0, 0, 0)

    @pytest.mark.parametrize(
        ("outage", "requests"),
        [
            (PARTITION, 200),
            ({**PARTITION, "lasts": "7s"}, 100),
            ({**PARTITION, "do": {"type": "partition", "mode": "lost_response"}}, 200),
            ({**PARTITION, "share": "50%", "do": {"type": "http.status", "status": "503"}}, 100),
            ({**PARTITION, "do": {"type": "conn.refuse"}}, 200),
            ({**PARTITION, "do": {"type": "stream.reset", "where": "token:0"}}, 200),
            ({**PARTITION, "do": {"type": "stream.reset", "where": "token:3"}}, 0),
        ],
    )
    def test_a_fallback_gets_what_the_others_cannot_answer(self, outage: dict[str, Any], requests: float) -> None:
        """As long and as much as a fault keeps them from answering before the first content."""
        assert met(outage, CUT).requests == pytest.approx(requests)

    def test_a_fallback_alone_is_regular(self) -> None:
        """There is nothing to fall back from."""
        backends = {"secondary": LAB["topology"]["backends"]["secondary"]}
        systems = {**LAB["systems"], "gateway": {"lab": "gateway", "upstreams": {"a": "${listener.secondary}"}}}

        assert met(CUT, topology={"entry": "gateway", "backends": backends}, systems=systems).requests == 200

    @pytest.mark.parametrize(
        ("keys", "hits"),
        [
            ({"match": {"first": "3"}}, 3),
            ({"match": {"skip": "150"}}, 50),
            ({"match": {"skip": "250"}}, 0),
            ({"match": {"nth": "3"}}, 1),
            ({"match": {"nth": "300"}}, 0),
            ({"match": {"each": "10"}}, 20),
            ({"max_hits": "7"}, 7),
            ({"flap": {"up": "3s", "down": "1s"}}, 50),
            ({"match": {"stream": "true", "path": "/v1/*", "method": "POST", "dialect": "openai.chat"}}, 200),
            ({"match": {"model": "gpt-*"}}, 100),
            ({"match": {"header": {"x-tenant": "a*"}}}, 200),
        ],
    )
    def test_counts_as_the_fault_does(self, keys: dict[str, Any], hits: float) -> None:
        """Ordinals, limits, flapping and what the request must look like."""
        load = {
            "arrival": {"rate": "20/s"},
            "request": {"model": ["gpt-4", "claude"], "headers": {"X-Tenant": "acme"}},
        }

        assert met({**CUT, "target": "primary", **keys}, load=load).hits == pytest.approx(hits)

    def test_says_why_no_request_is_meant(self) -> None:
        """In the words of the match, or of the fault itself."""
        plain = {"arrival": {"rate": "20/s"}, "request": {"stream": "false"}}
        cut = {**CUT, "target": "primary"}

        assert met({**cut, "match": {"stream": "true"}}, load=plain).why_not == (
            "match.stream: the request is not streamed"
        )
        assert met({**cut, "match": {"model": "x"}}).why_not == "match.model: m is not x"
        assert met(cut).why_not is None


class TestAnswers:
    def test_take_their_time(self) -> None:
        """Of the slowest lab backend, for as many tokens as the request allows."""
        experiment = lab(load=[{"arrival": {"rate": "20/s"}}, {"request": {"max_tokens": "11"}}])

        assert [answer_s(experiment, load) for load in experiment.loads] == pytest.approx([0.98, 0.4])
        assert [tokens_of(experiment, load) for load in experiment.loads] == [40, 11]

    def test_of_others_are_not_known(self) -> None:
        """Nobody can tell how long a stranger takes."""
        backends = {"primary": {"upstream": "http://127.0.0.1:1"}, "secondary": {"upstream": "models"}}
        experiment = lab(topology={**LAB["topology"], "backends": backends})

        assert answer_s(experiment, experiment.loads[0]) is None
        assert tokens_of(experiment, experiment.loads[0]) is None
