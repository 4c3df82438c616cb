"""The exit codes of ``chaosproxy run``: each means one thing, and the words beside it say why."""

from __future__ import annotations

import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from chaosproxy.journal.records import Ended, FaultEdge, GateJudged, Healed, Mark
from chaosproxy.journal.traffic import FaultHit
from chaosproxy.steady_state.observation import State
from tests.e2e.drill import SMALL, drill, family, free_port, repeat_inconclusive, small

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

GATE = {"window": "500ms", "expect": ["success >= 90%"]}
BREAKS = """\
import itertools, json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, GOOD = int(sys.argv[1]), int(sys.argv[2])
numbers = itertools.count(1)
message = {"role": "assistant", "content": "hello"}
answer = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        fine = next(numbers) <= GOOD
        body = json.dumps(answer if fine else {"error": {"message": "broken for good"}}).encode()
        self.send_response(200 if fine else 500)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"""


def test_held_is_0(tmp_path: Path) -> None:
    """0, the word, the numbers, a report and a JUnit file that count the same, and no process is left."""
    ended = repeat_inconclusive(lambda: drill(tmp_path, small()))

    assert ended.code == 0, ended.err
    assert ended.out.startswith("HELD  small")
    report = ended.report
    assert (report.verdict, report.exit_code, report.ended) == (State.HELD, 0, "completed")
    assert report.faults[0].hits == len(ended.all(FaultHit)) >= 1
    suite = ET.fromstring((ended.results / "junit.xml").read_text("utf-8"))  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "0", "0")
    names = {"journal.jsonl", "junit.xml", "report.html", "report.json"}
    assert {path.name for path in ended.results.iterdir()} == names
    assert family(ended.mark) == {}


def test_deviated_is_1(tmp_path: Path) -> None:
    """1; the sentence names the fault, JUnit has the failure, and the replay line gives the same verdict."""
    ended = drill(tmp_path, small(hypothesis=["silent_truncated == 0", "success >= 0%"]))

    assert ended.code == 1, ended.err
    assert "DEVIATED" in ended.out
    assert "stream.truncate (fault 'cut')" in ended.report.headline
    suite = ET.fromstring((ended.results / "junit.xml").read_text("utf-8"))  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "0")
    assert "again with: chaosproxy run drill.yaml --seed 7" in ended.out


def test_a_fault_that_nobody_met_is_3(tmp_path: Path) -> None:
    """A run whose fault hit nobody proves nothing, however well its expectations held, and says why."""
    (cut,) = SMALL["faults"]
    ended = drill(tmp_path, small(faults=[{**cut, "match": {"model": "gpt-*"}}]))

    assert ended.code == 3, ended.err
    assert ended.report.expectations[0].state is State.HELD
    assert "fault 'cut' (stream.truncate) made 0 of at least 1 hits" in ended.report.headline
    assert "match.model: m is not gpt-*" in ended.report.headline


def without_upstream(**sections: Any) -> str:
    """A drill on a listener behind which nobody listens."""
    backends = {"a": {"upstream": f"http://127.0.0.1:{free_port()}"}}
    topology = {"entry": "${listener.a}", "backends": backends}
    return small(systems=None, topology=topology, **sections)


@pytest.mark.parametrize(
    ("gate", "words", "code"),
    [(GATE, [], 3), (None, ["--inconclusive=warn"], 0)],
    ids=["own gate", "default gate and only a warning"],
)
def test_an_upstream_that_is_down_is_3(
    tmp_path: Path, gate: dict[str, object] | None, words: list[str], code: int
) -> None:
    """What is broken already is not broken further: the gate says what it saw, and the run ends before its time.

    ``--inconclusive=warn`` makes the code 0; report and words stay what they are.
    """
    text = without_upstream(gate=gate, timeline={"warmup": "500ms", "lasts": "40s"})
    ended = drill(tmp_path, text, *words)

    assert (ended.code, ended.report.exit_code) == (code, 3), ended.err
    assert "INCONCLUSIVE" in ended.out
    assert "the gate did not hold, so nothing was injected" in ended.out
    assert "success" in ended.report.headline
    assert [gate.held for gate in ended.all(GateJudged)] == [False]
    assert ended.all(FaultEdge) == []
    marks = {mark.name: mark.at for mark in ended.all(Mark)}
    assert marks["drained"] < marks["origin"] + 10


def test_a_met_abort_condition_is_4(tmp_path: Path) -> None:
    """4; faults are healed before the load ends, which is long before its time."""
    faults = [{"id": "down", "target": "a", "at": "500ms", "do": {"type": "http.status", "status": 503}}]
    abort = [{"when": "error_rate > 50%", "for": "1s", "min_samples": 3}]
    ended = drill(tmp_path, small(faults=faults, abort=abort, timeline={"warmup": "500ms", "lasts": "20s"}))

    assert ended.code == 4, ended.err
    assert "error_rate > 50%" in ended.report.headline
    edges = {edge.edge: edge.at for edge in ended.all(FaultEdge)}
    marks = {mark.name: mark.at for mark in ended.all(Mark)}
    assert edges["applied"] < edges["healed"] < marks["drained"] < marks["origin"] + 10
    assert [healed.verified for healed in ended.all(Healed)] == [True]
    assert family(ended.mark) == {}


def test_a_busy_port_is_5(tmp_path: Path) -> None:
    """5 and the address in words, no traceback, and what was started is gone."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        backends = {"a": {"listen": address, "upstream": "models"}}
        ended = drill(tmp_path, small(topology={"entry": "${listener.a}", "backends": backends}))

    assert ended.code == 5, ended.err
    assert f"cannot listen on {address}: address already in use" in ended.out
    assert "Traceback" not in ended.out + ended.err
    assert [end.how for end in ended.all(Ended)] == ["error"]
    assert family(ended.mark) == {}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-program-of-ours"], "no-such-program-of-ours"),
        ([sys.executable, "-c", "raise SystemExit('no licence')"], "no licence"),
    ],
    ids=["absent", "ends at once"],
)
def test_a_system_that_does_not_start_is_5(tmp_path: Path, command: list[str], words: str) -> None:
    """5 and its last words, at once and not after the whole time that it had to become ready."""
    ended = drill(tmp_path, small(systems={"models": {"command": command}}))

    assert ended.code == 5, ended.err
    assert words in ended.report.headline
    assert "Traceback" not in ended.out + ended.err
    assert family(ended.mark) == {}


def test_a_system_that_stays_broken_is_5(tmp_path: Path) -> None:
    """A gate that does not hold again after the heal is an error, although every expectation held."""
    (tmp_path / "breaks.py").write_text(BREAKS, encoding="utf-8")
    ended = drill(
        tmp_path,
        small(
            systems={"models": {"command": [sys.executable, str(tmp_path / "breaks.py"), "${port}", "14"]}},
            load={"arrival": {"rate": "10/s", "process": "constant"}, "request": {"stream": False, "timeout": "2s"}},
            gate=GATE,
            faults=[
                {
                    "id": "down",
                    "target": "a",
                    "at": "600ms",
                    "lasts": "600ms",
                    "do": {"type": "http.status", "status": 503},
                }
            ],
            hypothesis=["success >= 1%"],
            abort=["elapsed > 30s"],
            heal={"within": "1s"},
        ),
    )

    assert ended.code == 5, ended.out + ended.err
    assert "the heal could not be verified: success >= 90%" in ended.sentences
    assert ended.report.expectations[0].state is State.HELD
    assert ended.report.heal_verified is False
