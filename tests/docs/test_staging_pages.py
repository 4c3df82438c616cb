"""The pages on staging: their manifest is one, and their commands do what they show on a proxy that runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from chaosproxy.cli.app import app
from chaosproxy.control.guard import TOKEN_CHARS_MIN
from chaosproxy.control.routes import ROUTES
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.load_proxies import parse_proxies
from chaosproxy.steady_state.claims import Expectation
from chaosproxy.steady_state.measures import observe
from chaosproxy.steady_state.observation import State
from tests.control.plane import plane_beside
from tests.docs.test_examples import ROOT, _blocks, _commands, _run_as_shown
from tests.steady_state.drills import Drill, expectation

STAGING = ROOT / "docs/how-to/run-in-staging.md"
ALL = expectation("success >= 0%").over
STOP = ROOT / "docs/how-to/stop-everything.md"


def _manifest() -> dict[str, Any]:
    (text,) = [text for text in _blocks(STAGING, "yaml") if text.startswith("apiVersion:")]
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def _options() -> list[Any]:
    """Of ``chaosproxy serve``."""
    command: Any = typer.main.get_command(app)
    return list(command.commands["serve"].params)


class TestManifest:
    """Names and ports of its parts fit together, and the proxy understands what it is told."""

    def test_the_sidecar_is_started_as_serve_can_be(self) -> None:
        """Flags and variables exist; its file is a valid one, mounted where the flags say."""
        documents = _manifest()
        pod = documents["Deployment"]["spec"]["template"]["spec"]
        _, sidecar = pod["containers"]
        known = {name for option in _options() for name in option.opts}
        variables = {option.envvar for option in _options()}
        args = sidecar["args"]

        assert args[0] == "serve"
        assert [word for word in args if word.startswith("--") and word not in known] == []
        assert [each["name"] for each in sidecar["env"] if each["name"] not in variables] == []
        mounts = {mount["mountPath"]: mount["name"] for mount in sidecar["volumeMounts"]}
        assert {volume["name"] for volume in pod["volumes"]} == set(mounts.values())
        told = [args[args.index("--config") + 1], args[args.index("--stop-file") + 1]]
        told += [each["value"] for each in sidecar["env"] if each["name"].endswith("_FILE")]
        assert [path for path in told if str(Path(path).parent) not in mounts] == []

    def test_the_application_speaks_to_its_listeners(self) -> None:
        """Each of its URLs is one of a listener, and all are used."""
        documents = _manifest()
        gateway, _ = documents["Deployment"]["spec"]["template"]["spec"]["containers"]
        proxies = parse_proxies(documents["ConfigMap"]["data"]["proxies.yaml"], "proxies.yaml")
        listeners = {f"http://{listener.listen}" for listener in proxies.listeners.values()}

        assert {each["value"] for each in gateway["env"]} == listeners

    def test_probes_and_service_reach_the_control_api(self) -> None:
        """By the port's name, and paths that exist and need no token."""
        documents = _manifest()
        _, sidecar = documents["Deployment"]["spec"]["template"]["spec"]["containers"]
        (port,) = sidecar["ports"]
        (control,) = [each["value"] for each in sidecar["env"] if each["name"] == "CHAOSPROXY_CONTROL"]
        open_paths = {route.path for route in ROUTES if route.open}

        assert control.endswith(f":{port['containerPort']}")
        for probe in ("livenessProbe", "readinessProbe"):
            asked = sidecar[probe]["httpGet"]
            assert (asked["path"] in open_paths, asked["port"]) == (True, port["name"])
        (service_port,) = documents["Service"]["spec"]["ports"]
        assert service_port["targetPort"] == port["name"]
        labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"]
        assert documents["Service"]["spec"]["selector"] == labels

    def test_the_experiment_fits_the_proxies(self) -> None:
        """With attach, as the page runs it."""
        text, _ = [text for text in _blocks(STAGING, "yaml") if text.startswith("experiment:")]
        experiment = parse_experiment(text, "page", attach={"control": "http://chaosproxy-control:8666"})
        proxies = parse_proxies(_manifest()["ConfigMap"]["data"]["proxies.yaml"], "proxies.yaml")

        assert {name: backend.role for name, backend in experiment.topology.backends.items()} == {
            name: listener.role for name, listener in proxies.listeners.items()
        }


def test_real_traffic_is_judged_at_the_listeners_that_the_page_shows() -> None:
    """The front is the entry of the file, and the backends are those of the proxies file."""
    _, text = [text for text in _blocks(STAGING, "yaml") if text.startswith("experiment:")]
    *_, listeners = [text for text in _blocks(STAGING, "yaml") if text.startswith("listeners:")]
    experiment = parse_experiment(text, "page", attach={"control": "http://chaosproxy-control:8666"})
    proxies = parse_proxies(listeners, "proxies.yaml")

    assert {name: backend.role for name, backend in experiment.topology.backends.items()} == {
        name: listener.role for name, listener in proxies.listeners.items()
    }
    assert experiment.external is not None
    assert experiment.claims().front == "front"


def test_real_traffic_without_names_can_be_judged_as_the_page_asks() -> None:
    """Nobody knows the right texts of such calls: what hangs on them would never get past the gate."""
    _, text = [text for text in _blocks(STAGING, "yaml") if text.startswith("experiment:")]
    claims = parse_experiment(text, "page", attach={"control": "http://chaosproxy-control:8666"}).claims()
    nameless = Drill(claims, lasts_s=120)
    for number in range(120):
        nameless.exchange(None, "front", number)
        nameless.exchange(None, "primary", number + 0.01)
    asked = [*claims.hypothesis, *(replace(each, min_samples=None, over=ALL) for each in claims.gate)]

    def states(expectations: list[Expectation]) -> set[State]:
        return {seen.state(each.expect) for each in expectations for seen in observe(nameless.history(), each)}

    assert states(asked) == {State.HELD}
    assert states([expectation("success >= 97%"), expectation("silent_truncated == 0")]) == {State.INCONCLUSIVE}


def test_the_shortest_token_is_told() -> None:
    """As the guard has it."""
    assert f"a token of at least {TOKEN_CHARS_MIN}" in " ".join(STAGING.read_text(encoding="utf-8").split())


def test_commands_on_a_proxy_print_what_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, on one proxy."""
    assert len(_commands(STOP, "console proxy")) == 6
    with plane_beside(names=("primary", "secondary")) as url:
        monkeypatch.setenv("CHAOSPROXY_CONTROL", url)
        _run_as_shown(STOP, "console proxy")
