"""``docker compose up``: every service of the default profile, and the drill to its exit code."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import peers
from tests.e2e.compose.file import COMPOSE, ROOT, Service, read_services, read_tree
from tests.e2e.compose.project import LITELLM, Project

MISSING_PEER = next(filter(None, (peers.toxiproxy().missing, peers.toxiproxy_cli().missing)), None)
NEEDS_TOXIPROXY = pytest.mark.skipif(MISSING_PEER is not None, reason=f"no toxiproxy: {MISSING_PEER}")
NEEDS_REDIS = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
NEEDS_LITELLM = pytest.mark.skipif(not LITELLM.exists(), reason="`make setup-litellm` has not run")

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="loopback has one address here; each service needs its own")

pytestmark = [pytest.mark.e2e, pytest.mark.slow, LINUX, pytest.mark.timeout(300)]


def services(**variables: str) -> dict[str, Service]:
    """Those of the file, as with these variables in the user's environment, and none of ours."""
    return read_services(read_tree(COMPOSE.read_text("utf-8"), variables))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The file as it is."""
    with Project(services(), tmp_path) as started:
        yield started


def ask(url: str, headers: Mapping[str, str] | None = None, model: str = "m") -> tuple[str, Mapping[str, str]]:
    """The answer to a question, and the head of the response."""
    question = {"model": model, "messages": [{"role": "user", "content": "What is the capital of France?"}]}
    request = urllib.request.Request(  # noqa: S310 - a URL of our own
        f"{url}/v1/chat/completions",
        json.dumps(question).encode(),
        {"content-type": "application/json", **(headers or {})},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - likewise
        return json.load(answer)["choices"][0]["message"]["content"], dict(answer.headers)


def scrape(url: str, authorization: Mapping[str, str]) -> str:
    """As Prometheus would, with what its configuration says."""
    said = f"{authorization['type']} {authorization['credentials']}"
    request = urllib.request.Request(url, headers={"Authorization": said})  # noqa: S310 - a URL of our own
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - likewise
        text: str = answer.read().decode()
        return text


def drill(project: Project, *words: str) -> tuple[int, str]:
    """Exit code and output of the first run that this machine was quick enough for; a deviated one counts."""
    for _ in range(3):
        done = project.run("drill", *words)
        if done.returncode != 3:
            break
    return done.returncode, done.stdout + done.stderr


@pytest.mark.real
@NEEDS_REDIS
@NEEDS_TOXIPROXY
def test_everything_of_the_default_profile_becomes_healthy_and_the_drill_holds(project: Project) -> None:
    """Exit code 0, and all others still run, as `up --exit-code-from drill` would find them."""
    others = {name for name, service in project.services.items() if not service.profiles} - {"drill"}
    project.up(*others)
    for name in others:
        project.check_ports(name)

    code, said = drill(project)

    assert code == 0, said
    assert "HELD  failover" in said
    assert project.running == others


def test_a_question_goes_through_gateway_and_proxy(project: Project) -> None:
    """What stays after the drill is a chain to play with: here a request asks a proxy for its own fault."""
    project.up("gateway")

    text, _ = ask(project.url("gateway", 8080))

    assert "Paris" in text
    assert project.running == {"gateway", "proxy-a", "proxy-b", "backend-a", "backend-b"}
    with pytest.raises(urllib.error.HTTPError, match="503"):
        ask(project.url("proxy-a", 9001), {"x-chaosproxy-fault": "http.status status=503"})


def test_prometheus_gets_the_measures_of_both_proxies(project: Project) -> None:
    """Each target of its configuration, asked as the configuration says, has counted the exchanges that came to it."""
    project.up("proxy-a", "proxy-b")
    for name, port in (("proxy-a", 9001), ("proxy-b", 9002)):
        ask(project.url(name, port))
    prometheus = project.services["prometheus"]
    source = next(source for source, target in prometheus.binds if target in prometheus.command[0])
    (job,) = yaml.safe_load(project.network.seen_by(prometheus, (ROOT / source).read_text("utf-8")))["scrape_configs"]
    said = job["authorization"]
    targets = [target for group in job["static_configs"] for target in group["targets"]]

    assert len(targets) == 2
    for target in targets:
        url = f"http://{target}{job['metrics_path']}"
        families = {each.name: each for each in text_string_to_metric_families(scrape(url, said))}
        assert sum(sample.value for sample in families["chaosproxy_exchanges"].samples) == 1
        with pytest.raises(urllib.error.HTTPError, match="401"):
            scrape(url, {**said, "credentials": "wrong"})


def test_a_naive_gateway_fails_the_drill(tmp_path: Path) -> None:
    """The user's variable reaches the gateway's command; the exit code is the verdict's."""
    with Project(services(GATEWAY_PROFILE="naive"), tmp_path) as project:
        code, said = drill(project)

    assert code == 1, said
    assert "DEVIATED  failover" in said


def test_any_experiment_runs_and_ends_with_its_exit_code(project: Project) -> None:
    """One that starts a lab of its own in the drill's container, and one that does not exist."""
    inconclusive = project.run("drill", "experiments/nobody-hit.yaml")
    missing = project.run("drill", "experiments/no-such.yaml")

    assert inconclusive.returncode == 3, inconclusive.stdout + inconclusive.stderr
    assert missing.returncode == 2
    assert "no-such.yaml: no such file" in missing.stderr
    assert {"toxiproxy", "redis", "gateway"}.isdisjoint(project.running)


@pytest.mark.real
@NEEDS_REDIS
@NEEDS_TOXIPROXY
@NEEDS_LITELLM
def test_litellm_falls_back_but_completes_cut_streams(project: Project) -> None:
    """``docker compose --profile litellm up``: 0 with a primary that refuses connections and answers 503. When streams
    are cut it invents an end, which is 1. Its cache is Redis, and Toxiproxy stands in front of that.
    """
    project.up("litellm")
    project.check_ports("litellm")

    code, said = drill(project, "experiments/compose/litellm.yaml")
    assert code == 0, said
    assert project.running >= {"litellm", "toxiproxy", "redis", "drill-gateway"}

    code, said = drill(project, "experiments/compose/litellm.yaml", "-D", "cut=100%", "-D", "min_cuts=1")
    assert code == 1, said
    assert "passed off as whole" in " ".join(said.split())
    assert int(project.execute("redis", "redis-cli", "-h", "127.0.0.1", "dbsize").stdout) > 0
