"""Actions and probes of chaosproxy.ctk, used by Chaos Toolkit's own runner."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from chaosproxy import ctk
from chaosproxy.control.client import ControlClient
from chaosproxy.errors import ChaosError, UserError
from chaosproxy.journal.reading import read_journal
from chaosproxy.journal.records import FaultEdge, Healed
from tests.e2e.drill import small, write

pytest.importorskip("chaostoolkit", reason="Chaos Toolkit is not installed")
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WITHIN_S = 60.0
FAULT = "http.status status=500 id=down"


class Fine(BaseHTTPRequestHandler):
    """Answers everything with 200."""

    def do_GET(self) -> None:
        """Say so."""
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's word
        """Not on standard error."""


@dataclass(frozen=True)
class Running:
    """A proxy that somebody started."""

    url: str
    control: str


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """``chaosproxy serve`` with its control API."""
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Fine)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    words = ["--upstream", f"http://127.0.0.1:{upstream.server_port}", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "chaosproxy", "serve", *words, "--control", "127.0.0.1:0", "--json"],
        cwd=tmp_path_factory.mktemp("serve"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    threading.Thread(target=process.stdout.read, daemon=True).start()
    yield Running(ready["listeners"]["main"]["url"], ready["control"])
    process.terminate()
    process.wait(WITHIN_S)
    process.stdout.close()
    upstream.shutdown()
    upstream.server_close()


def activity(name: str, kind: str = "action", **arguments: Any) -> dict[str, Any]:
    """One of ours."""
    provider = {"type": "python", "module": "chaosproxy.ctk", "func": name, "arguments": arguments}
    return {"type": kind, "name": name, "provider": provider}


def expect(name: str, tolerance: Any, **arguments: Any) -> dict[str, Any]:
    """A probe of a hypothesis."""
    return {**activity(name, "probe", **arguments), "tolerance": tolerance}


def ask(url: str) -> dict[str, Any]:
    """One request through the proxy."""
    return {"type": "probe", "name": "ask", "provider": {"type": "http", "url": url}}


def experiment(folder: Path, control: str, method: list[Any], probes: list[Any], **more: Any) -> Path:
    """Write one of theirs."""
    path = folder / "experiment.json"
    steady = {"title": "s", "probes": probes}
    values = {"title": "t", "description": "d", "steady-state-hypothesis": steady, "method": method, "rollbacks": []}
    configuration = {"chaosproxy_control_url": control}
    runtime = {"hypothesis": {"strategy": "after-method-only"}}
    path.write_text(json.dumps({**values, "configuration": configuration, "runtime": runtime, **more}))
    return path


@contextmanager
def chaos(path: Path) -> Iterator[subprocess.Popen[str]]:
    """``chaos run``."""
    words = ["--no-version-check", "--settings", str(path.parent / "none.yaml"), "run", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "chaostoolkit", *words],
        cwd=path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(path: Path) -> tuple[int, dict[str, Any]]:
    """Its exit code and journal."""
    with chaos(path) as process:
        said, _ = process.communicate(timeout=WITHIN_S * 2)
    journal = path.parent / "journal.json"
    assert journal.exists(), said
    return process.returncode, json.loads(journal.read_text())


def test_a_fault_of_theirs(tmp_path: Path, proxy: Running) -> None:
    """Injected, met, counted and healed, and their exit code is a good one."""
    method = [
        activity("inject_fault", fault=FAULT, lease="60s"),
        expect("active_faults", None) | {"name": "while"},
        ask(proxy.url),
        ask(proxy.url),
        activity("heal_fault", fault_id="down"),
        ask(proxy.url),
    ]
    method[1].pop("tolerance")
    hits = expect("fault_hits", {"type": "range", "range": [2, 2]}, fault_id="down")

    code, journal = run(experiment(tmp_path, proxy.control, method, [hits]))

    outputs = [step["output"] for step in journal["run"]]
    assert (code, journal["status"], journal["deviated"]) == (0, "completed", False), journal
    assert outputs[0] == {"id": "down", "listeners": ["main"], "lease_s": 60}
    assert outputs[1] == ["down"]
    assert [outputs[n]["status"] for n in (2, 3, 5)] == [500, 500, 200]
    assert ctk.active_faults(proxy.control) == []


def test_a_fault_that_was_never_injected_deviates(tmp_path: Path, proxy: Running) -> None:
    """Their own end would be 0: the action fails, and nothing else asks. The hits say that there was no drill."""
    method = [activity("inject_fault", fault="http.sttus status=500 id=never"), ask(proxy.url)]
    hits = expect("fault_hits", {"type": "range", "range": [1, 1000]}, fault_id="never")

    code, journal = run(experiment(tmp_path, proxy.control, method, [hits]))

    assert (code, journal["deviated"]) == (1, True)
    assert "did you mean 'http.status'" in str(journal["run"][0]["exception"])


def test_rollbacks_heal_ours_only(tmp_path: Path, proxy: Running) -> None:
    """What they injected, under any id."""
    method = [activity("inject_fault", fault=f"http.status status=500 id=f{n}") for n in range(2)]
    rollbacks = [activity("heal_all")]

    code, journal = run(
        experiment(tmp_path, proxy.control, method, [expect("fault_hits", 0, fault_id="f0")], rollbacks=rollbacks)
    )

    assert code == 0, journal
    assert journal["rollbacks"][0]["output"] == ["f0", "f1"]
    assert ctk.active_faults(proxy.control) == []


def test_a_fault_ends_although_rollbacks_are_not_played(tmp_path: Path, proxy: Running) -> None:
    """A deviated experiment skips them by default; the lease does not."""
    method = [activity("inject_fault", fault=FAULT, lease="2s")]
    path = experiment(tmp_path, proxy.control, method, [expect("active_faults", [])], rollbacks=[activity("heal_all")])

    _, journal = run(path)

    assert journal["run"][0]["status"] == "succeeded"
    end = monotonic() + 10
    while ctk.active_faults(proxy.control):
        assert monotonic() < end
        sleep(0.05)


@pytest.mark.parametrize(("bound", "code"), [("30%", 0), ("100%", 1)])
def test_an_experiment_of_ours(tmp_path: Path, bound: str, code: int) -> None:
    """Its verdict decides theirs."""
    file = write(tmp_path, small(timeline={"warmup": "300ms", "lasts": "2s"}, hypothesis=[f"success >= {bound}"]))
    method = [activity("run_experiment", file=file, seed=5)]
    probes = [
        expect("verdict", "held", file=file),
        expect("measure", {"type": "range", "range": [0.3, 1]}, file=file, expectation="success"),
    ]

    ended, journal = run(experiment(tmp_path, "", method, probes))

    found = journal["run"][0]["output"]
    assert (ended, found["exit_code"]) == (code, code), journal
    assert found["verdict"] == ("deviated" if code else "held")
    assert (tmp_path / found["directory"] / "report.json").exists()
    assert "--seed 5" in found["replay"]


def test_an_experiment_that_cannot_start_is_no_success(tmp_path: Path) -> None:
    """A verdict that an earlier run left in a folder does not count."""
    file = write(tmp_path, small(hypotesis=["success >= 1%"]))

    code, journal = run(
        experiment(tmp_path, "", [activity("run_experiment", file=file)], [expect("verdict", "held", file=file)])
    )

    assert (code, journal["deviated"]) == (1, True)
    assert "did you mean 'hypothesis'" in str(journal["run"][0]["exception"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_end_of_their_runner_heals_ours(tmp_path: Path, number: signal.Signals) -> None:
    """Their signal handlers raise; the run heals before they go on."""
    fault = {"id": "cut", "target": "a", "at": "0s", "do": {"type": "stream.truncate", "where": "token:3"}}
    text = small(timeline={"warmup": "200ms", "lasts": "40s"}, faults=[fault], abort=["elapsed > 80s"])
    path = experiment(tmp_path, "", [activity("run_experiment", file=write(tmp_path, text))], [])
    with chaos(path) as process:
        end = monotonic() + WITHIN_S
        while not any('"applied"' in piece.read_text() for piece in tmp_path.glob("out/*/proxy.ndjson")):
            assert monotonic() < end
            sleep(0.05)
        process.send_signal(number)
        process.wait(WITHIN_S)

    (journal,) = tmp_path.glob("out/*/journal.jsonl")
    records = read_journal(journal.read_text("utf-8").splitlines()).records
    assert [record.edge for record in records if isinstance(record, FaultEdge)] == ["applied", "healed"]
    assert [record.verified for record in records if isinstance(record, Healed)] == [True]


def test_the_examples_of_the_page_are_valid(tmp_path: Path) -> None:
    """Chaos Toolkit says so itself."""
    page = Path(__file__).parents[2] / "docs/how-to/come-from-chaos-toolkit.md"
    shown = re.findall(r"^```json\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(shown) == 2
    for text in shown:
        (tmp_path / "shown.json").write_text(text, encoding="utf-8")
        words = ["--no-version-check", "--settings", "none.yaml", "validate", "shown.json"]
        done = subprocess.run(
            [sys.executable, "-m", "chaostoolkit", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_a_token_of_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """It wins over the environment's, and is in no message."""
    given: list[str | None] = []

    class Client(ControlClient):
        def __init__(self, url: str, token: str | None = None) -> None:
            given.append(token)
            super().__init__(url, token)

    monkeypatch.setattr(ctk, "ControlClient", Client)
    monkeypatch.setenv("CHAOSPROXY_TOKEN", "from-env")
    for secrets in ({"token": "planted"}, None):
        with pytest.raises(ChaosError) as refused:
            ctk.active_faults("http://127.0.0.1:1", secrets=secrets)
        assert "planted" not in str(refused.value)
        assert "from-env" not in str(refused.value)

    assert given == ["planted", "from-env"]


def test_mistakes_are_words(proxy: Running) -> None:
    """Each names what would be right."""
    with pytest.raises(UserError, match="did you mean 'main'"):
        ctk.inject_fault("http.status target=mian", control_url=proxy.control)
    with pytest.raises(UserError, match="expected a time with its unit"):
        ctk.inject_fault(FAULT, lease="5", control_url=proxy.control)
    with pytest.raises(UserError, match="chaosproxy_control_url"):
        ctk.heal_all()
    with pytest.raises(ChaosError, match="cannot be reached"):
        ctk.fault_hits("x", control_url="http://127.0.0.1:1")
    with pytest.raises(UserError, match="was not run"):
        ctk.measure("nowhere.yaml", "success")
    assert ctk.verdict("nowhere.yaml") == "not run"


def test_all_of_it_is_declared() -> None:
    """Their validation binds arguments to signatures; names that are not exported are nobody's business."""
    assert sorted(ctk.__all__) == list(ctk.__all__)
    assert all(callable(getattr(ctk, name)) and getattr(ctk, name).__doc__ for name in ctk.__all__)
    assert os.environ.get("CHAOSPROXY_TOKEN") is None
