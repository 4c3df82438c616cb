"""LiteLLM's proxy, in an environment of its own (`make setup-litellm`), behind listeners of ours.

Its first answers take it many seconds, and more of them on a slow machine: hence the long warm-ups.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from chaosproxy.experiment.litellm_config import PROVIDERS
from chaosproxy.journal.traffic import Call, ExchangeRecord, FaultHit
from tests.e2e.drill import Ended, chaosproxy, free_port

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv-litellm" / "bin"
ALONE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": "sk-lab"}
WITHIN_S = 300.0

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not (BIN / "litellm").exists(), reason="`make setup-litellm` has not run"),
]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with LiteLLM takes longer than any of the lab, on a slow machine."""
    monkeypatch.setattr("tests.e2e.drill.WITHIN_S", WITHIN_S)


def repeated(*words: str, cwd: Path, env: Mapping[str, str] | None = None, again: tuple[int, ...] = (3,)) -> Ended:
    """The first run that this machine was quick enough for, else the third; a deviated one is not repeated."""
    for _ in range(2):
        if (ended := chaosproxy("run", *words, cwd=cwd, env=env)).code not in again:
            return ended
    return chaosproxy("run", *words, cwd=cwd, env=env)


def hit_calls(ended: Ended, fault: str) -> list[tuple[Call, list[ExchangeRecord]]]:
    """The load's calls that a fault met, each with all its requests in their order."""
    exchanges = ended.all(ExchangeRecord)
    ids = {hit.call for hit in ended.all(FaultHit) if hit.fault == fault}
    calls = [call for call in ended.all(Call) if call.id in ids and call.end_at is not None]
    return [(call, [each for each in exchanges if each.call == call.id]) for call in calls]


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="the redis-server program is not installed")
class TestDrill:
    """`chaosproxy run real/litellm`: three upstreams, a fallback, a cooldown, a cache in Redis."""

    WORDS = ("real/litellm", "-D", f"litellm={BIN / 'litellm'}", "-D", "warmup=40s", "-D", "rate=3/s")

    def test_no_fault_is_found_where_it_is_right(self, tmp_path: Path) -> None:
        """Before the first content it falls back; what breaks later it reports, and asks nobody else; after the
        cooldown it comes back.
        """
        ended = repeated(*self.WORDS, cwd=tmp_path)

        assert ended.code == 0, ended.out + ended.err
        for fault in ("overload", "early"):
            hit = hit_calls(ended, fault)
            assert hit
            assert all(call.error is None and requests[-1].listener == "c" for call, requests in hit)
        late = hit_calls(ended, "late")
        assert late
        assert all(call.error is not None and requests[-1].listener in "ab" for call, requests in late)
        overload = next(fault for fault in ended.report.faults if fault.id == "overload")
        assert overload.recovery_s is not None

    def test_a_clean_cut_gets_an_invented_stop(self, tmp_path: Path) -> None:
        """The drill finds it, and says it in one sentence."""
        ended = repeated(*self.WORDS, "-D", "cut=100%", "-D", "min_cuts=1", cwd=tmp_path)

        assert ended.code == 1, ended.out + ended.err
        cut = hit_calls(ended, "cut")
        assert cut
        assert {call.finish for call, _ in cut} == {"stop"}
        assert "silent truncation passed on as success by the gateway" in ended.report.headline
        assert "silent_truncated" in {row.id for row in ended.report.expectations if row.state == "deviated"}


def test_our_table_of_providers_is_litellms() -> None:
    """What it takes without an api_base, where it says so."""
    program = "import json, litellm, sys\nprint(json.dumps([litellm.get_llm_provider(m)[3] for m in sys.argv[1:]]))"
    models = [f"{name}/x" for name in PROVIDERS]
    done = subprocess.run(
        [str(BIN / "python"), "-c", program, *models],
        env={**os.environ, **ALONE},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=True,
    )
    said = dict(zip(PROVIDERS, json.loads(done.stdout.splitlines()[-1]), strict=True))

    assert sum(base is not None for base in said.values()) >= 10
    assert {name: base for name, base in said.items() if base is not None} == {
        name: PROVIDERS[name] for name, base in said.items() if base is not None
    }


# ------------------------------------------------------------------------------------------- init --from-litellm


@contextmanager
def process(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """While the block runs; what it says goes to a file."""
    with (cwd / f"{Path(words[0]).name}-{free_port()}.log").open("w") as log:
        started = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if "--json" in words or "lab" in words else log,
            stderr=log,
            text=True,
        )
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(20)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
            if started.stdout is not None:
                started.stdout.close()


def ready(started: subprocess.Popen[str]) -> Any:
    """The line that a program of ours says first."""
    assert started.stdout is not None
    return json.loads(started.stdout.readline())


def answers(url: str, key: str, gateway: subprocess.Popen[str]) -> str:
    """Of a chat, as often as it takes until there is one: the first one takes LiteLLM seconds."""
    body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    due = monotonic() + WITHIN_S
    while True:
        try:
            request = urllib.request.Request(f"{url}/v1/chat/completions", body, headers)  # noqa: S310 - ours
            with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:  # noqa: S310 - ours
                text: str = json.load(answer)["choices"][0]["message"]["content"]
                return text
        except (OSError, ValueError):
            assert gateway.poll() is None, "litellm has ended"
            if monotonic() > due:
                raise
            sleep(0.5)


CONFIG = """\
# the user's own
model_list:
  - model_name: chat
    litellm_params: {model: openai/lab, api_base: BACKEND/v1, api_key: os.environ/LAB_KEY, stream_timeout: 2}
  - model_name: spare
    litellm_params:
      model: openai/lab
      api_base: os.environ/SPARE_URL
      api_key: os.environ/LAB_KEY
      max_retries: 0
router_settings: {num_retries: 0, fallbacks: [{chat: [spare]}], allowed_fails: 1, cooldown_time: 2}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
"""


def moved(folder: Path, names: Sequence[str], ports: Mapping[int, int]) -> None:
    """Free ports instead of those that the files have: other tests use these, too."""
    for name in names:
        text = (folder / name).read_text("utf-8")
        for port, other in ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{other}")
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.e2e
def test_init_from_litellm_from_end_to_end(tmp_path: Path) -> None:
    """The listeners, LiteLLM from the patched configuration, and the experiment: it finds the invented stops."""
    ours = [sys.executable, "-m", "chaosproxy"]
    ports = {port: free_port() for port in (9001, 9002, 8666, 4000)}
    with ExitStack() as stack:
        lab = (*ours, "lab", "backend", "--listen", "127.0.0.1:0")
        backend, spare = (ready(stack.enter_context(process(*lab, cwd=tmp_path)))["url"] for _ in range(2))
        env = {**ALONE, "LAB_KEY": "sk-of-the-lab", "SPARE_URL": f"{spare}/v1"}
        (tmp_path / "config.yaml").write_text(CONFIG.replace("BACKEND", backend), encoding="utf-8")
        written = chaosproxy("init", "--from-litellm", "config.yaml", cwd=tmp_path, env=env)
        assert written.code == 0, written.err
        moved(tmp_path, ("proxies.yaml", "config.chaos.yaml", "drill.yaml"), ports)
        control = f"127.0.0.1:{ports[8666]}"
        serve = (*ours, "serve", "--config", "proxies.yaml", "--control", control, "--json")
        assert set(ready(stack.enter_context(process(*serve, cwd=tmp_path, env=env)))["listeners"]) == {"chat", "spare"}
        gateway = (
            str(BIN / "litellm"),
            "--config",
            "config.chaos.yaml",
            "--host",
            "127.0.0.1",
            "--port",
            str(ports[4000]),
        )
        litellm = stack.enter_context(process(*gateway, cwd=tmp_path, env=env))
        assert answers(f"http://127.0.0.1:{ports[4000]}", "sk-lab", litellm)

        # LiteLLM wants much of a CPU. Where it does not get that, calls pile up behind the outage, which may also break
        # the run off (4) or leave LiteLLM too slow to be called healed (5).
        ended = repeated("drill.yaml", cwd=tmp_path, env=env, again=(3, 4, 5))

    assert ended.code == 1, ended.out + ended.err
    assert "silent truncation passed on as success by the gateway" in ended.sentences
    assert "silent_truncated" in {row.id for row in ended.report.expectations if row.state == "deviated"}
    assert {each.listener for each in ended.all(ExchangeRecord)} == {"chat", "spare"}
    assert all(fault.hits for fault in ended.report.faults)
    everything = "".join(path.read_text("utf-8", "replace") for path in ended.results.rglob("*") if path.is_file())
    assert "sk-of-the-lab" not in everything
