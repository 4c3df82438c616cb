"""The limits of a run: refused before anything starts, and ended while it goes on, healed first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.journal.records import AnyRecord, FaultEdge, Healed, Mark, Probed, Run
from chaosproxy.journal.traffic import Lag
from chaosproxy.runner.checks import Checks
from chaosproxy.steady_state.timeline import timeline_of
from tests.e2e.drill import SMALL, Ended, chaosproxy, drill, small, write

pytestmark = pytest.mark.e2e

PRICES = "prices:\n  m: {input: 1000, output: 10000}\n"
"""A token costs a thousandth to read and a hundredth to write."""
GENEROUS: dict[str, Any] = {
    "max_upstream_requests": 1000,
    "max_upstream_rate": "100/s",
    "max_upstream_tokens": 100_000,
    "max_cost": 100,
    "prices": "prices.yaml",
}
LONG: dict[str, Any] = {
    "timeline": {"warmup": "500ms", "lasts": "30s"},
    "faults": [{**SMALL["faults"][0], "lasts": "25s"}],
    "abort": ["elapsed > 60s"],
}
BOUND_S = 1.0
"""From the condition of an abort to the heal."""


def priced(folder: Path) -> Path:
    """The folder, with a price file in it."""
    (folder / "prices.yaml").write_text(PRICES, encoding="utf-8")
    return folder


class TestBefore:
    """What is refused, and what is not."""

    def test_a_run_within_its_limits_says_what_it_cost(self, tmp_path: Path) -> None:
        """Per backend: tokens as the upstream reported them, money by the price file."""
        ended = drill(priced(tmp_path), small(safety=GENEROUS, hypothesis=["cost > 0.1", "throughput >= 1/s"]))

        assert ended.code == 0, ended.out
        (cost,) = ended.report.cost
        assert (cost.backend, cost.requests, cost.estimated) == ("a", ended.report.exchanges, 0)
        assert cost.tokens_out == 6 * cost.requests
        assert cost.money == pytest.approx(cost.tokens_in / 1000 + cost.tokens_out / 100)
        assert f"a               {cost.requests}" in ended.out
        again = chaosproxy("check", str(ended.results / "journal.jsonl"), "drill.yaml", cwd=tmp_path)
        assert again.out == (ended.results / "report.json").read_text("utf-8")

    @pytest.mark.parametrize(
        ("upstream", "safety", "words"),
        [
            ("https://api.example.com/v1", {}, "it misses max_upstream_requests, max_upstream_rate, max_upstream_tok"),
            ("https://api.example.com/v1", {**GENEROUS, "max_upstream_rate": None}, "it misses max_upstream_rate"),
            ("models", {**GENEROUS, "max_upstream_requests": 20}, "the load alone sends about 35 requests"),
            ("models", {**GENEROUS, "max_cost": 2}, "the answers to the load alone may cost 2.1"),
            ("models", {**GENEROUS, "prices": "none.yaml"}, "none.yaml: no such file"),
        ],
        ids=["no limits", "no rate", "requests", "cost", "no price file"],
    )
    def test_a_file_that_goes_too_far_is_refused(
        self, tmp_path: Path, upstream: str, safety: dict[str, Any], words: str
    ) -> None:
        """With 2, and nothing was started."""
        limits = {key: value for key, value in safety.items() if value is not None}
        topology = {"entry": "${listener.a}", "backends": {"a": {"upstream": upstream}}}

        ended = drill(priced(tmp_path), small(topology=topology, safety=limits))

        assert (ended.code, ended.directory) == (2, None), ended.out
        assert words in ended.err

    def test_mistakes_in_a_price_file_have_their_place_in_it(self, tmp_path: Path) -> None:
        """All of them, beside those of the experiment."""
        (tmp_path / "prices.yaml").write_text(
            "prices:\n  m: {input: 1}\n  n: {input: x, output: 1}\n", encoding="utf-8"
        )

        ended = chaosproxy("plan", write(tmp_path, small(safety=GENEROUS, seed="x")), cwd=tmp_path)

        assert ended.code == 2
        assert "prices.yaml:2:3: prices.m.output: is missing" in ended.err
        assert "prices.yaml:3:14: prices.n.input: expected a number, got 'x'" in ended.err
        assert "seed: expected a whole number" in ended.err

    def test_outside_of_its_hours_nothing_starts(self, tmp_path: Path) -> None:
        """They were yesterday."""
        yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%a").lower()

        ended = drill(tmp_path, small(safety={"hours": f"{yesterday} 00:00-00:01 UTC"}))

        assert (ended.code, ended.directory) == (2, None)
        assert "nothing was started" in ended.err
        assert "Traceback" not in ended.err


class TestMeanwhile:
    """Limits that only the run itself can break."""

    @pytest.mark.parametrize(
        ("limit", "probes", "words"),
        [
            ({"max_upstream_tokens": 1900}, [], "tokens at the upstreams, allowed are 1900"),
            ({"max_cost": 18.4}, [], "at the upstreams, allowed are 18.4"),
            (
                {"max_upstream_requests": 310},
                [{"id": "eager", "http": "${listener.a}/v1/models", "each": "50ms"}],
                "safety.max_upstream_requests: 31",
            ),
            (
                {"max_upstream_rate": "12/s"},
                [{"id": "eager", "http": "${listener.a}/v1/models", "each": "50ms"}],
                "over 5s at the upstreams, allowed are 12/s",
            ),
        ],
        ids=["tokens", "cost", "requests", "rate"],
    )
    def test_a_run_that_goes_too_far_is_ended(
        self, tmp_path: Path, limit: dict[str, Any], probes: list[Any], words: str
    ) -> None:
        """With 4 and the reason, healed and verified; what it cost is in the report."""
        ended = drill(priced(tmp_path), small(**LONG, safety={**GENEROUS, **limit}, probes=probes))

        assert (ended.code, ended.report.ended) == (4, "aborted"), ended.out
        assert words in ended.report.ended_why
        assert ended.report.heal_verified
        assert [edge.edge for edge in ended.all(FaultEdge)] == ["applied", "healed"]
        assert ended.report.cost[0].requests > 10


class TestAborts:
    """From the moment at which a condition is met to the heal."""

    @pytest.mark.parametrize(
        ("when", "probe"),
        [
            ({"when": "elapsed > 4s"}, None),
            ({"when": "silent_truncated > 3"}, None),
            ({"when": "error_rate > 60%", "for": "2s", "min_samples": 5}, None),
            ({"when": "upstream_requests > 30"}, None),
            ({"when": "hits(cut) > 5"}, None),
            ({"when": "probe(p).success < 100%", "for": "1s"}, {"http": "${listener.a}/v1/models"}),
            ({"when": "probe(p).success < 100%"}, {"command": ["sh", "-c", "exit 7"]}),
        ],
        ids=["clock", "measure", "error rate", "requests", "hits", "http", "command"],
    )
    def test_a_second_is_enough(self, tmp_path: Path, when: dict[str, Any], probe: dict[str, Any] | None) -> None:
        """The journal's records are read again, one by one, to see when the condition was first met."""
        fails = {"do": {"type": "http.status", "status": 503}} if "success" in str(when) or "error" in str(when) else {}
        fault = {**LONG["faults"][0], **fails}
        probes = [] if probe is None else [{"id": "p", "each": "100ms", "during": "during", **probe}]
        text = small(**{**LONG, "faults": [fault], "abort": [when, "elapsed > 60s"]}, probes=probes)

        ended = _with_a_quick_machine(lambda: drill(tmp_path, text))

        assert ended.code == 4, ended.out
        (healed,) = [edge for edge in ended.all(FaultEdge) if edge.edge == "healed"]
        took_s = healed.at - first_met(text, ended.records)
        assert took_s < BOUND_S, took_s
        assert [each.verified for each in ended.all(Healed)] == [True]
        drained = next(mark.at for mark in ended.all(Mark) if mark.name == "drained")
        assert healed.at < drained


def first_met(text: str, records: tuple[AnyRecord, ...]) -> float:
    """When an abort condition of the file was first met, by what the journal says had happened until then."""
    claims = parse_experiment(text, "drill.yaml").claims()
    checks = Checks(claims)
    start = next(mark.at for mark in records if isinstance(mark, Mark) and mark.name == "warmup")
    waiting = sorted((record for record in records if not isinstance(record, Run)), key=known_at)
    at = start
    while True:
        while waiting and known_at(waiting[0]) <= at:
            checks.notice(waiting.pop(0))
        if checks.abort(at):
            return at
        assert waiting, "it was never met"
        at += 0.02


def known_at(record: AnyRecord) -> float:
    """When what a record tells had happened."""
    if isinstance(record, Probed):
        return record.at + record.took_s
    return timeline_of([record], 0.0).last_at


def _with_a_quick_machine(run: Callable[[], Ended]) -> Ended:
    """The first run in which no process of ours was late, else the last."""
    for _ in range(2):
        ended = run()
        if not any(lag.p99_s > 0.25 for lag in ended.all(Lag)):
            return ended
    return run()
