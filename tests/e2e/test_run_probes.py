"""Probes in whole runs: one that holds, the same one where it deviates, one that could not look, and aborts."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.journal.records import Probed
from chaosproxy.steady_state.observation import State
from tests.e2e.drill import Ended, chaosproxy, drill, free_port, repeat_inconclusive, small

pytestmark = pytest.mark.e2e

PASSWORD = "hunter2-93fa5c"
HEALTH = {"id": "health", "http": "${entry}/v1/models", "each": "200ms", "expect": {"status": 200}}
"""It is asked through the listener that the fault acts on."""
FAILING = [{"id": "sick", "target": "a", "at": "900ms", "lasts": "1s", "do": {"type": "http.status", "status": 503}}]
"""It begins between two looks: one that is under way would say nothing about either side."""
PLUGIN = '''
from typing import ClassVar

from chaosproxy.experiment.probe import Probe, Scene, Seen
from chaosproxy.steady_state.own import measure
from chaosproxy.steady_state.vocabulary import Unit


@measure(unit=Unit.SHARE)
def acme_served(story):
    """Calls that got any text."""
    return story.call.text.chars > 0


class Entry(Probe):
    """The port of the entry."""

    kind: ClassVar[str] = "acme_entry"

    acme_entry: str

    async def look(self, scene: Scene) -> Seen:
        return Seen("ok", float(scene.facts["entry"].rpartition(":")[2]))
'''


def experiment(*hypothesis: Any, **sections: Any) -> str:
    """A drill with a health probe, whose answers fail for a second."""
    return small(**{"faults": FAILING, "probes": [HEALTH], "hypothesis": list(hypothesis), **sections})


def first(ended: Ended) -> tuple[int, State]:
    """The exit code and the state of the first expectation."""
    return ended.code, ended.report.expectations[0].state


def test_the_same_probe_holds_before_a_fault_and_deviates_under_it(tmp_path: Path) -> None:
    """The gate looks at it, too; the report says what went wrong first."""
    gate = {"window": "700ms", "expect": ["probe(health).success == 100%"]}
    heal: dict[str, list[str]] = {"verify": []}
    always, steady = "probe(health).success == 100%", {"expect": "probe(health).success == 100%", "over": "steady"}

    held = repeat_inconclusive(lambda: drill(tmp_path, experiment(steady, gate=gate, heal=heal)))
    deviated = repeat_inconclusive(lambda: drill(tmp_path, experiment(always, gate=gate, heal=heal)))

    assert first(held) == (0, State.HELD), held.out
    assert first(deviated) == (1, State.DEVIATED), deviated.out
    assert "health first failed at " in deviated.report.headline
    assert "status 503, expected 200" in deviated.report.headline
    (account,) = deviated.report.probes
    assert (account.kind, account.blind) == ("http", 0)
    assert account.runs == len(deviated.all(Probed)) > 10
    assert "probe    kind   runs" in deviated.out
    again = chaosproxy("check", str(deviated.results / "journal.jsonl"), "drill.yaml", cwd=tmp_path)
    assert (again.code, again.out) == (1, (deviated.results / "report.json").read_text("utf-8"))


def test_one_that_cannot_look_is_inconclusive_and_tells_no_secret(tmp_path: Path) -> None:
    """A Prometheus server that nobody runs, with a password in its URL."""
    probe = {"id": "slo", "prometheus": f"http://us:{PASSWORD}@127.0.0.1:{free_port()}", "query": "up", "each": "500ms"}

    ended = drill(tmp_path, experiment("probe(slo).success >= 90%", probes=[probe]))

    assert first(ended) == (3, State.INCONCLUSIVE), ended.out
    assert "could not look: the Prometheus server: connection refused" in ended.report.headline
    left = [file.read_text("utf-8", "replace") for file in ended.results.iterdir() if file.is_file()]
    assert not [text for text in (*left, ended.out, ended.err) if PASSWORD in text]


@pytest.mark.parametrize(
    "probe",
    [
        {"id": "p", "http": "${listener.a}/v1/models", "each": "200ms", "expect": {"status": 200}},
        {"id": "p", "command": ["sh", "-c", "exit 7"], "each": "200ms", "during": "during"},
    ],
    ids=["http", "command"],
)
def test_a_probe_may_abort_a_run(tmp_path: Path, probe: Any) -> None:
    """While the fault acts; the heal comes first, as always."""
    faults = [{**FAILING[0], "lasts": "20s"}]
    text = experiment(
        "success >= 0%",
        probes=[probe],
        faults=faults,
        timeline={"warmup": "500ms", "lasts": "30s"},
        abort=[{"when": "probe(p).success < 100%", "for": "1s"}],
    )

    ended = drill(tmp_path, text)

    assert ended.code == 4, ended.out
    assert ended.report.ended_why == "probe(p).success < 100%"
    assert ended.report.heal_verified


class Answers(BaseHTTPRequestHandler):
    """Every query has the result 7."""

    def do_GET(self) -> None:
        result = {"status": "success", "data": {"resultType": "scalar", "result": [0, "7"]}}
        body = json.dumps(result).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def prometheus() -> Iterator[str]:
    """The URL of a server that answers queries as Prometheus does."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_prometheus_query_may_abort_a_run(tmp_path: Path, prometheus: str) -> None:
    """By its value; the heal comes first, and is verified."""
    probe = {"id": "burn", "prometheus": prometheus, "query": "burn_rate", "each": "200ms"}
    text = experiment(
        "success >= 0%",
        probes=[probe],
        faults=[{**FAILING[0], "lasts": "20s"}],
        timeline={"warmup": "500ms", "lasts": "30s"},
        abort=[{"when": "probe(burn).value.max > 5", "for": "2s"}],
    )

    ended = drill(tmp_path, text)

    assert ended.code == 4, ended.out
    assert ended.report.ended_why == "probe(burn).value.max > 5"
    assert ended.report.heal_verified


def test_all_kinds_that_need_no_server_work_in_a_run(tmp_path: Path) -> None:
    """With what only the run knows: a system's process and log, the entry, and a module in the folder."""
    (tmp_path / "acme_checks.py").write_text("def ready():\n    return True\n", encoding="utf-8")
    probes: list[dict[str, Any]] = [
        {"id": "port", "tcp": "${entry}"},
        {"id": "mem", "process": {"system": "models"}, "expect": {"memory_mb": "> 1"}},
        {"id": "errors", "log": "out/${run.id}/models.log", "pattern": "Traceback"},
        {"id": "room", "disk": "."},
        {"id": "ready", "python": "acme_checks:ready"},
        {"id": "words", "command": ["echo", "42 jobs"], "value": True, "expect": {"value": "< 50"}},
    ]
    claims = [f"probe({probe['id']}).success == 100%" for probe in probes]

    ended = drill(tmp_path, experiment(*claims, "probe(words).value.max == 42", probes=probes, faults=[]))

    assert ended.code == 0, ended.out
    assert {account.id: account.share_ok for account in ended.report.probes} == {probe["id"]: 1.0 for probe in probes}


def test_a_users_own_probe_and_measure_work_in_a_run_and_offline(tmp_path: Path) -> None:
    """By `--plugin`; without it `check` says what is missing."""
    (tmp_path / "acme_watch.py").write_text(PLUGIN, encoding="utf-8")
    probe = {"id": "entry", "acme_entry": "x", "each": "300ms"}
    text = experiment("acme_served >= 30%", "probe(entry).value.min > 0", probes=[probe])

    ended = drill(tmp_path, text, "--plugin", "acme_watch")
    journal = str(ended.results / "journal.jsonl")
    again = chaosproxy("check", journal, "drill.yaml", "--plugin", "acme_watch", cwd=tmp_path)
    without = chaosproxy("check", journal, "drill.yaml", cwd=tmp_path)

    assert ended.code == 0, ended.out
    assert (again.code, again.out) == (0, (ended.results / "report.json").read_text("utf-8"))
    assert without.code == 2
    assert "unknown measure 'acme_served'" in without.err
    assert "a probe needs its kind" in without.err
    assert without.err.count("one of your own needs --plugin MODULE") == 2
