"""``load: {external: true}``: runs that judge traffic of others, seen at an entry listener before the system."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.journal.records import Run
from chaosproxy.journal.traffic import Call
from tests.e2e.drill import drill, free_port, small
from tests.e2e.passers_by import passers_by

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MODELS = {"lab": "backend", "tokens": 6, "ttft": "10ms", "inter_token": "5ms"}
CUT = {
    "id": "cut",
    "target": "primary",
    "at": "2s",
    "lasts": "2s",
    "do": {"type": "stream.truncate", "where": "token:3"},
}


def _text(port: int, profile: str, *hypothesis: Any, **more: Any) -> str:
    """A gateway between an entry listener and two backends; nobody of ours asks it."""
    upstreams = {name: f"${{listener.{name}}}" for name in ("primary", "secondary")}
    sections: dict[str, Any] = {
        "systems": {"models": MODELS, "gateway": {"lab": "gateway", "profile": profile, "upstreams": upstreams}},
        "topology": {
            "entry": "${listener.front}",
            "backends": {
                "front": {"listen": f"127.0.0.1:{port}", "upstream": "gateway"},
                "primary": {"upstream": "models", "role": "primary"},
                "secondary": {"upstream": "models", "role": "fallback"},
            },
        },
        "load": {"external": True, "drain": "5s"},
        "timeline": {"warmup": "500ms", "lasts": "6s"},
        "faults": [CUT],
        "gate": {"window": "1500ms", "expect": ["success >= 99%"]},
        "heal": {"verify": []},
        "hypothesis": list(hypothesis),
    }
    return small(**{**sections, **more})


def test_a_system_that_holds(tmp_path: Path) -> None:
    """What clients get is judged, and who answered them, of calls that nobody of ours made."""
    refused = {
        "id": "down",
        "target": "primary",
        "at": "2s",
        "lasts": "2s",
        "do": {"type": "http.status", "status": 503},
    }
    claims = ["success >= 99%", "silent_truncated == 0", "duplicated == 0", "ttft.p50 <= 2s", "timeout_rate == 0%"]
    claims += ["abandoned_upstream == 0"]
    while_down = [{"expect": "served_by(secondary) >= 90%", "over": "down.applied+200ms..down.healed-200ms"}]
    text = _text(port := free_port(), "resilient", *claims, *while_down, faults=[refused])
    with passers_by(port):
        ended = drill(tmp_path, text)

    assert ended.code == 0, ended.sentences
    report = ended.report
    assert report.outcomes == {"ok": report.calls}
    assert report.exchanges > report.calls > 40  # retries are requests, calls at the front are not
    assert ended.all(Call) == []
    assert [run.load for run in ended.all(Run)] == ["external"]
    page = (ended.results / "report.html").read_text("utf-8")
    assert f"{report.calls} calls" in page


def test_a_system_that_hides_a_cut(tmp_path: Path) -> None:
    """Clients got the beginning of what the answering upstream sent, passed off as whole: that is known."""
    text = _text(port := free_port(), "naive", "silent_truncated == 0", "error_rate <= 1%")
    with passers_by(port):
        ended = drill(tmp_path, text)

    assert ended.code == 1, ended.sentences
    truncated, errors = ended.report.expectations
    assert (truncated.state, errors.state) == ("deviated", "held")
    assert "stream.truncate (fault 'cut') ended primary's stream early" in ended.sentences


def test_calls_that_cannot_be_joined(tmp_path: Path) -> None:
    """Whether their texts are right is not known: no pass, no alarm, and why."""
    text = _text(port := free_port(), "resilient", "success >= 70%", "error_rate <= 50%", gate=None)
    with passers_by(port, named=False):
        ended = drill(tmp_path, text)

    assert ended.code == 3, ended.sentences
    success, errors = ended.report.expectations
    assert (success.state, errors.state) == ("inconclusive", "held")
    assert "the right text of" in success.why


def test_clients_that_wait_in_vain(tmp_path: Path) -> None:
    """They leave after their timeout, which the file knows; what still hangs at the end is not forgotten."""
    hang = {"id": "hang", "target": "primary", "at": "2s", "lasts": "3s", "do": {"type": "conn.blackhole"}}
    load = {"external": True, "timeout": "1s", "drain": "10s"}
    text = _text(port := free_port(), "naive", "timeout_rate <= 1%", load=load, faults=[hang], abort=[])
    with passers_by(port, give_up_s=1.5):
        ended = drill(tmp_path, text)

    assert ended.code == 1, ended.sentences
    assert ended.report.outcomes["timeout"] > 5
    assert "and timed out: conn.blackhole (fault 'hang') kept primary silent" in ended.sentences


@pytest.mark.parametrize("entry", ["${listener.front}", "http://127.0.0.1:1"], ids=["entry", "no entry"])
def test_no_traffic(tmp_path: Path, entry: str) -> None:
    """Nothing is injected into a system that nobody uses, and nothing held."""
    claim = "upstream_requests <= 100"
    text = _text(free_port(), "naive", claim, gate=None)
    text = text.replace("${listener.front}", entry)
    ended = drill(tmp_path, text)

    assert ended.code == 3, ended.sentences
    assert "no calls" in ended.sentences or "no request for an answer reached our listeners" in ended.sentences
    assert ended.report.faults[0].applied_at_s is None


def test_without_an_entry_listener(tmp_path: Path) -> None:
    """What backends were asked for can be judged, and how many requests a fault met."""
    text = _text(port := free_port(), "naive", "hits(cut) >= 5", "upstream_requests >= 20", gate=None)
    text = text.replace("${listener.front}", f"http://127.0.0.1:{port}")
    with passers_by(port):
        ended = drill(tmp_path, text)

    assert ended.code == 0, ended.sentences
    assert ended.report.calls == 0
    assert "upstream_requests >= 20" in ended.out  # its tables are shown all the same


# -------------------------------------------------------------------------------------------------------------- attach

TOKEN = "a-token-for-the-staging-proxy"
ABORT = ["elapsed > 80s", {"when": "error_rate > 90%", "for": "60s"}]


@contextmanager
def _part(module: str, *words: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", module, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("profile", "code"), [("resilient", 0), ("naive", 1)])
def test_a_proxy_that_runs_already(tmp_path: Path, profile: str, code: int) -> None:
    """With ``--attach``: its traffic began before the run, and goes on when that is over."""
    ports = {name: free_port() for name in ("front", "primary", "secondary", "gateway", "control")}
    upstreams = {name: f"http://127.0.0.1:{ports[name]}" for name in ("primary", "secondary")}
    settings = json.dumps({"profile": profile, "upstreams": upstreams})
    (tmp_path / "token").write_text(TOKEN)
    with ExitStack() as stack:
        models = stack.enter_context(_part("chaosproxy.lab.backend", "--settings", json.dumps(_settings(MODELS))))
        listen = f"127.0.0.1:{ports['gateway']}"
        stack.enter_context(_part("chaosproxy.lab.gateway", "--settings", settings, "--listen", listen))
        behind = {"front": f"http://{listen}", "primary": models["url"], "secondary": models["url"]}
        listeners = {name: {"listen": f"127.0.0.1:{ports[name]}", "upstream": url} for name, url in behind.items()}
        (tmp_path / "proxies.yaml").write_text(json.dumps({"listeners": listeners}))
        control = f"127.0.0.1:{ports['control']}"
        words = ["serve", "--config", str(tmp_path / "proxies.yaml"), "--control", control]
        stack.enter_context(_part("chaosproxy", *words, "--token-file", str(tmp_path / "token"), "--json"))
        stack.enter_context(passers_by(ports["front"]))
        text = _text(ports["front"], profile, "silent_truncated == 0", abort=ABORT)
        ended = drill(tmp_path, text, "--attach", f"http://{control}", "--token-file", "token")

    assert ended.code == code, ended.sentences
    assert ended.report.calls > 40


def _settings(system: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in system.items() if key != "lab"}
