"""``chaosproxy run --attach``: an experiment on a proxy that runs already, and what is left of it, whatever happens."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.control.client import ControlClient
from chaosproxy.control.messages import Inject, Status
from chaosproxy.journal.records import Attached, FaultEdge
from chaosproxy.plan.rule import Rule
from tests.e2e.cable import cable
from tests.e2e.drill import Running, chaosproxy, drill, free_port, running, small

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOKEN = "a-token-for-the-staging-proxy"
LEASE_S = 2
ABORT = ["elapsed > 80s", {"when": "error_rate > 90%", "for": "60s"}]
LASTING = {
    "faults": [{"id": "cut", "target": "a", "at": "1s", "do": {"type": "stream.truncate", "where": "token:3"}}],
    "timeline": {"warmup": "500ms", "lasts": "40s"},
}


@dataclass
class Staging:
    """A proxy with the listeners a and b in front of a lab backend, as an operator runs it."""

    folder: Path
    port: int
    process: subprocess.Popen[str]
    listener: str = ""

    @property
    def control(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def words(self) -> tuple[str, ...]:
        """How a run finds it."""
        return ("--attach", self.control, "--token-file", str(self.folder / "token"))

    def text(self, **more: object) -> str:
        """A small drill for it: its entry is the listener itself, and its upstream is one of the laptop's."""
        values: dict[str, Any] = {"abort": ABORT, **more}
        return small(**values)

    def ask(self, question: Callable[[ControlClient], Any]) -> Any:
        """One question over its control API."""

        async def speak() -> Any:
            async with ControlClient(self.control, TOKEN) as client:
                return await question(client)

        return asyncio.run(speak())

    def status(self) -> Status:
        """What is going on there."""
        status: Status = self.ask(lambda client: client.status())
        return status

    def journal(self) -> list[Any]:
        """Its records so far."""

        async def read(client: ControlClient) -> list[Any]:
            newest, records = (await client.status()).events, []
            async for record in client.events():
                records.append(record)
                if client.last_event == newest:
                    break
            return records

        records: list[Any] = self.ask(read)
        return records

    def until_healed(self, within_s: float) -> FaultEdge:
        """Wait for the end of the fault; how it ended."""
        end = time.monotonic() + within_s
        while True:
            healed = [edge for edge in self.journal() if isinstance(edge, FaultEdge) and edge.edge == "healed"]
            if healed:
                return healed[-1]
            assert time.monotonic() < end, self.status()
            time.sleep(0.1)


def _serve(folder: Path, port: int, upstream: str, *words: str) -> subprocess.Popen[str]:
    config = {"listeners": {name: {"upstream": upstream} for name in ("a", "b")}}
    (folder / "proxies.yaml").write_text(json.dumps(config))
    (folder / "token").write_text(TOKEN)
    argv = ["serve", "--config", "proxies.yaml", "--control", f"127.0.0.1:{port}", "--token-file", "token", *words]
    command = [sys.executable, "-m", "chaosproxy", *argv]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _ended(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    facts: dict[str, Any] = json.loads(process.stdout.readline())
    return facts


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    """It runs before the test and after it."""
    folder = tmp_path / "staging"
    folder.mkdir()
    settings = json.dumps({"tokens": 6, "ttft": "10ms", "inter_token": "5ms"})
    command = [sys.executable, "-m", "chaosproxy.lab.backend", "--settings", settings]
    backend = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    proxy = _serve(folder, port := free_port(), _ready(backend)["url"])
    try:
        _ready(proxy)
        yield Staging(folder, port, proxy)
    finally:
        _ended(proxy)
        _ended(backend)


@contextmanager
def _lasting(staging: Staging, folder: Path, lease_s: float = LEASE_S) -> Iterator[Running]:
    """A run that goes on for long; its fault is active."""
    text = staging.text(**LASTING, safety={"lease": f"{lease_s:g}s"})
    with running(folder, text, *staging.words) as run:
        run.until("cut applied")
        assert "cut" in [fault.id for fault in staging.status().active]
        yield run


def test_the_same_file_as_on_the_laptop(staging: Staging, tmp_path: Path) -> None:
    """It is judged by what happened there, nothing of it is left, and the journal can be judged again."""
    ended = drill(tmp_path, staging.text(), *staging.words)

    assert ended.code == 0, ended.err
    (attached, again) = [record for record in ended.records if isinstance(record, Attached)]
    assert attached.upstreams["a"].startswith("http://127.0.0.1:")
    assert max(attached.error_s, again.error_s) < 1
    edges = [(edge.edge, edge.why) for edge in ended.records if isinstance(edge, FaultEdge)]
    assert edges == [("applied", ""), ("healed", "lasts")]
    assert f"--attach {staging.control}" in (ended.report.replay or "")
    assert f"attached to {staging.control}" in ended.err
    assert (staging.status().active, staging.status().claims) == ((), {})
    again_judged = chaosproxy("check", str(ended.results / "journal.jsonl"), "drill.yaml", cwd=tmp_path)
    assert again_judged.out == (ended.results / "report.json").read_text()
    assert TOKEN not in "".join(path.read_text() for path in ended.results.glob("*.json*"))


def test_a_killed_runner(staging: Staging, tmp_path: Path) -> None:
    """``kill -9``: the fault ends with its lease, and so does the claim."""
    with _lasting(staging, tmp_path) as run:
        run.process.kill()
        killed_at = time.monotonic()
        healed = staging.until_healed(20)

    assert healed.why == "lease"
    assert healed.at - killed_at < LEASE_S + 0.5  # one machine has one monotonic clock
    assert staging.status().claims == {}


def test_a_paused_runner(staging: Staging, tmp_path: Path) -> None:
    """SIGSTOP: the fault ends with its lease; woken up, the run does not say that it held."""
    with _lasting(staging, tmp_path) as run:
        run.process.send_signal(signal.SIGSTOP)
        paused_at = time.monotonic()
        healed = staging.until_healed(20)
        run.process.send_signal(signal.SIGCONT)
        run.process.send_signal(signal.SIGINT)
        ended = run.ended()

    assert healed.why == "lease"
    assert healed.at - paused_at < LEASE_S + 0.5
    assert ended.code == 130
    assert ended.report.verdict != "held"


@pytest.mark.parametrize("hangs", [False, True], ids=["reset", "black hole"])
def test_a_cut_control_connection(staging: Staging, tmp_path: Path, hangs: bool) -> None:
    """The fault ends with its lease; when the connection is back, the run finds that it is over, and says what was."""
    with cable(staging.port) as between:
        words = ("--attach", f"http://127.0.0.1:{between.port}", *staging.words[2:])
        with running(tmp_path, staging.text(**LASTING, safety={"lease": f"{LEASE_S}s"}), *words) as run:
            run.until("cut applied")
            between.cut(hangs=hangs)
            cut_at = time.monotonic()
            healed = staging.until_healed(20)
            between.mend()
            ended = run.ended()

    assert healed.why == "lease"
    assert healed.at - cut_at < LEASE_S + 0.5
    assert ended.code in (1, 3, 5), ended.err
    assert ended.report.verdict != "held"


def test_a_control_connection_that_is_cut_for_a_moment(staging: Staging, tmp_path: Path) -> None:
    """Less than a lease: no record is lost, nothing ends early, and the run is judged as ever."""
    with cable(staging.port) as between:
        words = ("--attach", f"http://127.0.0.1:{between.port}", *staging.words[2:])
        with running(tmp_path, staging.text(safety={"lease": "10s"}), *words) as run:
            run.until("cut applied")
            between.cut(hangs=False)
            time.sleep(0.3)
            between.mend()
            ended = run.ended()

    assert ended.code == 0, ended.sentences
    assert [edge.why for edge in ended.all(FaultEdge)] == ["", "lasts"]


def test_a_proxy_that_is_started_anew(staging: Staging, tmp_path: Path) -> None:
    """Its faults are gone with it; the run ends, says so, and never says that it held."""
    with _lasting(staging, tmp_path, lease_s=20) as run:  # longer than a start takes on a slow machine
        listeners = staging.status().listeners
        staging.process.kill()
        staging.process.wait()
        again = _serve(staging.folder, staging.port, listeners["a"].upstream)
        try:
            _ready(again)
            assert staging.status().active == ()
            ended = run.ended()
            assert staging.status().active == ()
        finally:
            _ended(again)

    assert ended.code == 5, ended.err
    assert "started anew" in ended.sentences


def test_the_pieces_of_a_killed_run_are_judged(staging: Staging, tmp_path: Path) -> None:
    """By the folder and by the name that the journal would have; never as held."""
    with _lasting(staging, tmp_path) as run:
        run.process.kill()
        run.process.wait()
    (results,) = (tmp_path / "out").iterdir()
    assert '"opened"' not in (results / "proxy.ndjson").read_text("utf-8").splitlines()[0]
    for named in (results, results / "journal.jsonl"):
        checked = chaosproxy("check", str(named), "drill.yaml", cwd=tmp_path)
        assert checked.code in (1, 3), checked.err
        assert json.loads(checked.out)["verdict"] != "held"
        assert "these are its pieces" in checked.err


def test_a_proxy_that_was_stopped_by_hand(staging: Staging, tmp_path: Path) -> None:
    """The stop button ends the run, too: what it was about is over."""
    with _lasting(staging, tmp_path) as run:
        staging.ask(lambda client: client.lock("incident 4711"))
        ended = run.ended()
        assert staging.status().active == ()
        refused = drill(tmp_path, staging.text(), *staging.words)

    assert ended.code == 4, ended.err
    assert "everything was stopped: incident 4711" in ended.report.headline
    assert refused.code == 5
    assert "incident 4711" in refused.sentences


def test_what_belongs_to_others_is_left_alone(staging: Staging, tmp_path: Path) -> None:
    """A fault on another listener goes on; one on ours, or another run there, is a reason not to begin."""
    aside = Rule.model_validate({"id": "theirs", "listeners": ["b"], "do": {"type": "time.stall"}})
    staging.ask(lambda client: client.inject(Inject(rule=aside, lease=120.0)))
    ended = drill(tmp_path, staging.text(), *staging.words)
    assert ended.code == 0, ended.err
    assert [fault.id for fault in staging.status().active] == ["theirs"]
    with _lasting(staging, tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        refused = drill(other, staging.text(), *staging.words)
        assert [fault.id for fault in staging.status().active] == ["theirs", "cut"]
    assert refused.code == 5
    assert "listener 'a' is in use by" in refused.sentences


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"abort": ["elapsed > 80s"]}, "a condition on what users feel is missing"),
        ({"abort": ["error_rate > 90%"]}, "a condition on elapsed is missing"),
        ({"abort": []}, "a condition on what users feel, and one on elapsed is missing"),
    ],
)
def test_the_file_says_when_to_abort(staging: Staging, tmp_path: Path, more: dict[str, Any], words: str) -> None:
    """Both conditions, or the file is refused."""
    ended = drill(tmp_path, staging.text(**more), *staging.words)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_a_file_that_means_another_proxy(staging: Staging, tmp_path: Path) -> None:
    """A listener that is not there, and an upstream that the file does not allow."""
    backends = {"a": {"upstream": "http://127.0.0.1:1"}, "z": {"upstream": "http://127.0.0.1:1"}}
    topology = {"entry": "${listener.a}", "backends": backends}
    ended = drill(tmp_path, staging.text(topology=topology), *staging.words)
    assert ended.code == 5
    assert "it has no listener 'z', but a, b" in ended.sentences
    nowhere = {"allow_hosts": ["localhost"]}
    control = ("--attach", f"http://localhost:{staging.port}", *staging.words[2:])
    ended = drill(tmp_path, staging.text(safety=nowhere), *control)
    assert ended.code == 5
    assert "a stands before '127.0.0.1', which is not in safety.allow_hosts" in ended.sentences
