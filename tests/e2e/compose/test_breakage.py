"""The proofs of test_up.py bite: a copy of docker-compose.yml with one thing broken does not come up, or not hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.compose.file import COMPOSE, read_services, read_tree
from tests.e2e.compose.project import Broken, Project
from tests.e2e.compose.test_up import LINUX, MISSING_PEER, ask

pytestmark = [pytest.mark.e2e, pytest.mark.slow, LINUX, pytest.mark.timeout(300)]

Services = dict[str, Any]
NEEDS_PEERS = pytest.mark.skipif(
    MISSING_PEER is not None or shutil.which("redis-server") is None, reason="needs toxiproxy and redis-server"
)


def broken(folder: Path, change: Callable[[Services], None], unhealthy: str | None = None) -> Project:
    """The file with a change. A service that will never be healthy is not waited for as long as the file says."""
    tree = read_tree(COMPOSE.read_text("utf-8"), {})
    if unhealthy is not None:
        tree["services"][unhealthy]["healthcheck"].update(start_period="8s", interval="1s", retries=1)
    change(tree["services"])
    return Project(read_services(tree), folder)


def up_with_ports(project: Project, name: str) -> None:
    """Start a service and see that its ports are there."""
    project.up(name)
    project.check_ports(name)


def word(service: str, before: str, after: str) -> Callable[[Services], None]:
    """A change of one word of a command."""

    def change(services: Services) -> None:
        words = services[service]["command"]
        words[words.index(before)] = after

    return change


def entry(service: str, key: str, value: Any) -> Callable[[Services], None]:
    """A change of one entry of a service; None takes it away."""

    def change(services: Services) -> None:
        services[service][key] = value
        if value is None:
            del services[service][key]

    return change


@pytest.mark.parametrize(
    ("service", "change", "complaint"),
    [
        ("backend-a", word("backend-a", "0.0.0.0:8000", "0.0.0.0:8001"), "backend-a: not healthy"),
        ("backend-a", word("backend-a", "0.0.0.0:8000", "127.0.0.1:8000"), "backend-a: not healthy"),
        ("backend-a", word("backend-a", "ttft=60ms", "tfft=60ms"), "backend-a: ended with 2"),
        ("proxy-b", word("proxy-b", "0.0.0.0:9102", "0.0.0.0:9103"), "proxy-b: not healthy"),
        ("proxy-b", entry("proxy-b", "environment", {}), "proxy-b: not healthy"),
        ("proxy-b", entry("backend-b", "healthcheck", {"disable": True}), "backend-b, which has no health check"),
        ("proxy-b", entry("proxy-b", "depends_on", {"backend": {"condition": "service_healthy"}}), "does not exist"),
        ("proxy-b", entry("proxy-b", "ports", ["127.0.0.1:9002:9012"]), "nothing listens at its published port 9012"),
        ("proxy-b", word("proxy-b", "serve", "server"), "proxy-b: ended with 2"),
    ],
)
def test_a_broken_service_does_not_come_up(
    tmp_path: Path, service: str, change: Callable[[Services], None], complaint: str
) -> None:
    """Command, environment, ports, order and health of what is ours."""
    unhealthy = service if "not healthy" in complaint else None
    with broken(tmp_path, change, unhealthy) as project, pytest.raises(Broken, match=complaint):
        up_with_ports(project, service)


@pytest.mark.real
@NEEDS_PEERS
@pytest.mark.parametrize(
    ("change", "unhealthy", "complaint"),
    [
        (word("redis", "6379", "6380"), "redis", "redis: not healthy"),
        (word("toxiproxy", "8474", "8475"), "toxiproxy", "toxiproxy: not healthy"),
        (entry("toxiproxy", "volumes", None), None, "nothing listens at its published port 16379"),
    ],
)
def test_a_broken_neighbour_does_not_come_up(
    tmp_path: Path, change: Callable[[Services], None], unhealthy: str | None, complaint: str
) -> None:
    """The same for what is not ours."""
    with broken(tmp_path, change, unhealthy) as project, pytest.raises(Broken, match=complaint):
        up_with_ports(project, "toxiproxy")


@pytest.mark.parametrize(
    "change",
    [
        word("proxy-a", "http://backend-a:8000", "http://backend-a:8001"),
        word("proxy-a", "http://backend-a:8000", "http://backend:8000"),
        entry("proxy-a", "depends_on", {}),
    ],
)
def test_a_proxy_without_its_backend_answers_nothing(tmp_path: Path, change: Callable[[Services], None]) -> None:
    """A wrong port, a wrong name, a backend that was never started."""
    with broken(tmp_path, change) as project:
        project.up("proxy-a")
        with pytest.raises(OSError, match=r"50\d"):
            ask(project.url("proxy-a", 9001))


@pytest.mark.parametrize(
    "change",
    [
        entry("drill", "network_mode", "service:proxy-a"),
        word("drill-gateway", "primary=http://drill-gateway:9001", "primary=http://drill-gateway:9003"),
        word("drill-gateway", "primary=http://drill-gateway:9001", "primary=http://proxy-a:9001"),
        entry("drill", "entrypoint", ["chaosproxy"]),
        entry("drill", "volumes", []),
    ],
)
def test_a_broken_chain_does_not_hold(tmp_path: Path, change: Callable[[Services], None]) -> None:
    """No verdict, neither way, when its listeners are not where the gateway looks, or its file is not there."""
    with broken(tmp_path, change) as project:
        assert project.run("drill").returncode not in {0, 1}
