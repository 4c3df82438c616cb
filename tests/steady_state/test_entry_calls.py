"""Calls of traffic that is not ours: what the exchanges at an entry listener tell, and what they cannot tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaosproxy.journal.traffic import Lag, Underway
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.outcome import Outcome
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import CUT, LOSSY, ORIGIN, WHOLE, Drill, cut_edge, edge, refusing_edge, silent_edge


class External(Drill):
    """A run that looks at calls which others make at ``front``, before a gateway with two backends."""

    def call_at(
        self, at: float, name: str | None = "", sent: Any = None, listener: str = "primary", **more: Any
    ) -> str:
        """One call, with the request that it cost (``received`` is the backend's answer, None: it asked nobody)."""
        name = f"call-{at:g}" if name == "" else name
        received = more.pop("received", edge(ORIGIN + at))
        if received is not None:
            self.exchange(more.pop("asked_as", name), listener, at, received=received, sent=received)
        return self.exchange(name, "front", at, sent=edge(ORIGIN + at) if sent is None else sent, **more)

    def judged(self) -> Verdict:
        """The verdict over all that happened."""
        return judge(self.journal(), self.claims)

    def state(self, measure: str) -> str:
        """How the expectation on a measure ended."""
        return next(str(row.state) for row in self.judged().expectations if row.id == measure)


@pytest.fixture
def drill() -> External:
    """Ten good calls, no fault."""
    drill = External(run_settings={"load": "external"})
    backends = ("front", "primary", "secondary")
    drill.claims = replace(drill.claims, external=True, entry="front", backends=backends, oracle="upstream")
    for at in range(10):
        drill.call_at(float(at))
    return drill


class TestWhatIsKnown:
    """As sure as a load of ours would know it."""

    def test_calls_that_are_well(self, drill: External) -> None:
        """Each is one call with one request; the front is no upstream."""
        for claim in (
            "success == 100%",
            "retries_per_call == 0",
            "upstream_requests == 10",
            "served_by(primary) == 100%",
        ):
            drill.expect(claim)
        for claim in ("silent_corrupt == 0", "duplicated == 0", "leaked == 0", "timeout_rate == 0%", "ttft.max <= 1s"):
            drill.expect(claim)

        verdict = drill.judged()

        assert [row.why for row in verdict.expectations if row.state != "held"] == []
        assert (verdict.verdict, verdict.calls, verdict.exchanges) == ("held", 10, 10)

    @pytest.mark.parametrize(
        ("sent", "outcome"),
        [
            (cut_edge(20, CUT), Outcome.SILENT_TRUNCATED),
            (edge(20, ""), Outcome.SILENT_EMPTY),
            (edge(20, LOSSY), Outcome.SILENT_CORRUPT),
            (cut_edge(20, CUT, ended="fin"), Outcome.ERROR),
            (cut_edge(20, CUT, ended="reset"), Outcome.ERROR),
            (cut_edge(20, CUT, error_event=True), Outcome.ERROR),
            (edge(20, LOSSY, malformed=True), Outcome.ERROR),
            (refusing_edge(20, 503), Outcome.ERROR),
            (refusing_edge(20, 503).model_copy(update={"ended": "gone"}), Outcome.ERROR),
            (edge(20, ended="gone"), Outcome.OK),
            (edge(20, finish=None, terminal=False), Outcome.OK),
        ],
        ids=lambda value: value.value if isinstance(value, Outcome) else "",
    )
    def test_what_a_client_got(self, drill: External, sent: Any, outcome: Outcome) -> None:
        """Told from the two edges, the client's and that of the backend that answered."""
        drill.call_at(20.0, sent=sent)

        (story,) = [
            story for story in drill.history().stories if story.outcome is not Outcome.OK
        ] or drill.history().stories[-1:]

        assert story.outcome is outcome
        assert not story.perhaps_ok or outcome is Outcome.OK

    def test_a_retry_is_a_request_of_the_same_call(self, drill: External) -> None:
        """And who answered is known by the text."""
        drill.exchange(
            "call-20", "primary", 20.0, received=refusing_edge(ORIGIN + 20, 503), sent=refusing_edge(20, 503)
        )
        drill.call_at(20.0, listener="secondary")
        drill.expect("retries_per_call.sum == 1")
        drill.expect("served_by(secondary) >= 9%")

        assert drill.judged().verdict == "held"

    def test_a_client_that_waited_for_its_whole_timeout(self, drill: External) -> None:
        """Nothing came, and it left when all clients give up."""
        drill.claims = replace(drill.claims, client_timeout_s=5.0)
        drill.call_at(20.0, sent=silent_edge(ORIGIN + 20, ORIGIN + 25.2), received=silent_edge(120, 126))
        drill.expect("timeout_rate == 0%")

        assert drill.state("timeout_rate") == "deviated"

    def test_a_fault_at_the_entry_itself(self, drill: External) -> None:
        """What stands behind it is not blamed."""
        drill.fault("busy", "http.status", "front", 19.0, 2.0)
        drill.call_at(20.0, sent=refusing_edge(120, 503), received=None, hit="busy")
        drill.expect("error_rate == 0%")

        assert "http.status (fault 'busy') made front answer 503, the entry itself" in drill.judged().headline

    def test_a_lone_listener_is_edge_and_upstream_in_one(self, drill: External) -> None:
        """Clients call the provider through us: what it sent is the right text."""
        drill.claims = replace(drill.claims, backends=("front",))
        drill.fault("cut", "stream.truncate", "front", 19.0, 2.0)
        drill.exchange(None, "front", 20.0, received=edge(120), sent=cut_edge(120), hit="cut")
        drill.expect("silent_truncated == 0")
        drill.expect("upstream_requests == 11")

        assert (drill.state("silent_truncated"), drill.state("upstream_requests")) == ("deviated", "held")
        assert "stream.truncate (fault 'cut') ended front's stream early" in drill.judged().headline


class TestWhatIsNotKnown:
    """Neither a pass nor an alarm, and the reason."""

    @pytest.mark.parametrize(
        ("measure", "call", "why"),
        [
            ("success == 100%", {"sent": silent_edge(120, 126), "received": silent_edge(120, 127)}, "1 clients left"),
            ("error_rate == 0%", {"sent": cut_edge(120, ended="gone")}, "1 clients left"),
            ("timeout_rate == 0%", {"sent": cut_edge(120, ended="gone")}, "1 clients left"),
            ("success == 100%", {"asked_as": "another"}, "the right text of 1 calls"),
            ("silent_corrupt == 0", {"name": None, "asked_as": None}, "the right text of 1 calls"),
            ("success == 100%", {"name": "call-3"}, "the right text of 2 calls"),
            ("retries_per_call <= 1", {"name": "call-3"}, "2 calls carry no tag"),
            ("served_by(primary) == 100%", {"asked_as": "another"}, "1 calls carry no tag"),
            ("duplicated == 0", {"sent": edge(120, WHOLE[:50] + WHOLE)}, "how the text of 1 calls went wrong"),
            ("leaked == 0", {"sent": edge(120, LOSSY)}, "how the text of 1 calls went wrong"),
        ],
    )
    def test_a_call_that_may_be_well_or_not(
        self, drill: External, measure: str, call: dict[str, Any], why: str
    ) -> None:
        """One such call among ten good ones."""
        drill.call_at(20.0, **call)
        drill.expect(measure)

        (row,) = drill.judged().expectations

        assert row.state == "inconclusive"
        assert why in row.why

    @pytest.mark.parametrize(
        ("measure", "state"),
        [
            ("retries_per_call.sum == 0", "inconclusive"),
            ("retries_per_call.sum >= 1", "inconclusive"),
            ("served_by(secondary) >= 9%", "inconclusive"),
            ("served_by(secondary) == 0%", "inconclusive"),
        ],
    )
    def test_a_fallback_that_lost_the_name_of_its_call(self, drill: External, measure: str, state: str) -> None:
        """The first request had it, and failed; what then answered the client is not what is known of the call."""
        failed = refusing_edge(ORIGIN + 20, 503)
        drill.exchange("call-20", "primary", 20.0, received=failed, sent=failed)
        drill.exchange("renamed", "secondary", 20.2, received=edge(120.2), sent=edge(120.2))
        drill.exchange("call-20", "front", 20.0, received=edge(120), sent=edge(120))
        drill.expect(measure)

        (row,) = drill.judged().expectations

        assert (row.state, row.why) == (state, "1 calls carry no tag, so which exchanges they cost is not known")

    def test_others_at_a_backend_say_nothing_about_a_call_that_is_explained(self, drill: External) -> None:
        """Its own request brought what the client got."""
        drill.call_at(20.0)
        drill.exchange("somebody", "secondary", 20.1, received=edge(120.1), sent=edge(120.1))
        drill.expect("retries_per_call.sum == 0")

        assert drill.state("retries_per_call") == "held"

    def test_a_client_that_left_while_we_were_late(self, drill: External) -> None:
        """Two doubts about one call: it may still have run into its timeout."""
        drill.records.append(Lag(process="proxy", what="loop", at=ORIGIN + 22, samples=20, p99_s=0.5, max_s=0.5))
        drill.call_at(20.0, sent=cut_edge(120, ended="gone"))
        drill.expect("timeout_rate == 0%")

        assert drill.state("timeout_rate") == "inconclusive"

    def test_a_client_that_left_is_no_lateness_of_ours(self, drill: External) -> None:
        """The reason is told as it is, for times as well."""
        drill.call_at(20.0, sent=silent_edge(120, 126), received=silent_edge(120, 127))
        drill.expect("ttft.max <= 1s")

        (row,) = drill.judged().expectations

        assert (row.state, row.why.startswith("1 clients left")) == ("inconclusive", True)

    def test_an_answer_that_nobody_could_read(self, drill: External) -> None:
        """Compressed for the client: no empty answer, and no whole one."""
        unread = edge(120, "", terminal=False, finish=None, tokens=0, bytes=900)
        drill.call_at(20.0, sent=unread)
        drill.expect("silent_empty == 0")
        drill.expect("success == 100%")

        assert [row.state for row in drill.judged().expectations] == ["inconclusive", "inconclusive"]
        assert "could not be read" in drill.judged().expectations[0].why

    def test_a_call_that_had_not_ended(self, drill: External) -> None:
        """It hangs still when the run is over; a call that ended meanwhile counts as it ended."""
        facts: dict[str, Any] = {"listener": "front", "call": None, "method": "POST", "model": "m", "stream": True}
        for name, at in (("open", 30.0), (drill.call_at(31.0), 31.0)):
            drill.records.append(
                Underway(at=ORIGIN + 61, id=name, ordinal=1, dialect="openai.chat", began_at=ORIGIN + at, **facts)
            )
        drill.expect("success == 100%")

        verdict = drill.judged()

        assert verdict.outcomes == {"ok": 11, "unfinished": 1}
        assert verdict.expectations[0].state == "inconclusive"

    def test_a_request_under_way_was_asked_for(self, drill: External) -> None:
        """A backend that hangs has been asked, whether or not that ends."""
        facts: dict[str, Any] = {"call": None, "method": "POST", "model": "m", "stream": True, "dialect": "openai.chat"}
        drill.records.append(
            Underway(at=ORIGIN + 61, id="o", listener="primary", ordinal=1, began_at=ORIGIN + 9, **facts)
        )
        drill.expect("upstream_requests <= 10")

        assert drill.state("upstream_requests") == "deviated"


class TestWhoseTraffic:
    """What counts as a call, and when."""

    def test_other_requests_are_no_calls(self, drill: External) -> None:
        """A health check that fails is nothing that a client of the API got; nor does it make a fault count."""
        drill.fault("cut", "stream.truncate", "primary", 30.0, 5.0)
        gone = refusing_edge(131, 404)
        drill.exchange(None, "front", 31.0, method="GET", path="/health", dialect="raw", sent=gone)
        drill.exchange(None, "primary", 31.0, method="GET", path="/health", dialect="raw", sent=gone, hit="cut")
        drill.expect("success == 100%")

        verdict = drill.judged()

        assert verdict.expectations[0].state == "held"
        assert (verdict.verdict, verdict.calls, verdict.faults[0].load_hits) == ("inconclusive", 10, 0)

    def test_traffic_before_and_after_the_run(self, drill: External) -> None:
        """It went on before, and goes on."""
        for at in (-10.0, 70.0):
            drill.call_at(at, sent=refusing_edge(ORIGIN + at, 503))
        drill.expect("success == 100%")

        verdict = drill.judged()

        assert (verdict.verdict, verdict.calls, verdict.exchanges) == ("held", 10, 10)

    def test_no_calls_at_all(self, drill: External) -> None:
        """Nothing held, and other requests are told."""
        drill.records.clear()
        drill.exchange(None, "front", 3.0, method="GET", path="/health", dialect="raw")
        drill.expect("upstream_requests <= 5")

        verdict = drill.judged()

        assert verdict.verdict == "inconclusive"
        assert verdict.headline == "no call reached the entry listener 'front' at all; 1 other requests are no calls"

    def test_no_requests_where_nobody_sees_calls(self, drill: External) -> None:
        """Without an entry listener there must at least be requests."""
        drill.claims = replace(drill.claims, entry=None, backends=("primary", "secondary"))
        drill.expect("upstream_requests <= 15")
        assert drill.judged().verdict == "held"

        drill.records.clear()

        assert drill.judged().headline == "no request for an answer reached our listeners at all"
