"""Real clients of Toxiproxy against both servers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from toxiproxy import Toxiproxy
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from benchmarks.peers import toxiproxy_cli
from tests.twin.twin_kit import Server, Twins

pytestmark = pytest.mark.real


@pytest.fixture
def client() -> Iterator[Toxiproxy]:
    """The Python client, which keeps its server as state of a class."""
    before = APIConsumer.host, APIConsumer.port
    yield Toxiproxy()
    APIConsumer.host, APIConsumer.port = before


def told(client: Toxiproxy, server: Server) -> list[Any]:
    """What the Python client says about a session that uses all that it has."""
    client.update_api_consumer("127.0.0.1", server.port)
    said: list[Any] = [client.running(), client.version(), client.proxies()]
    proxy = client.create(name="redis", upstream="127.0.0.1:6379")
    said += [proxy.name, proxy.upstream, proxy.enabled, proxy.listen.rpartition(":")[0]]
    proxy.add_toxic(type="latency", attributes={"latency": 1000})
    proxy.add_toxic(name="slow", type="bandwidth", stream="upstream", toxicity=0.5, attributes={"rate": 10})
    said += [{name: vars(toxic) for name, toxic in proxy.toxics().items()}]
    for provoked, error in (
        (lambda: proxy.add_toxic(type="latency"), ProxyExists),
        (lambda: proxy.add_toxic(type="nothing"), InvalidToxic),
        (lambda: proxy.destroy_toxic("nothing"), NotFound),
        (lambda: client.create(name="redis", upstream="u"), ProxyExists),
    ):
        with pytest.raises(error) as caught:
            provoked()  # type: ignore[no-untyped-call]
        said.append(str(caught.value))
    with proxy.down():
        said.append(client.get_proxy("redis").enabled)
    said += [client.get_proxy("redis").enabled, proxy.destroy_toxic("slow"), sorted(proxy.toxics())]
    said += [client.reset(), proxy.toxics(), proxy.get_toxic("slow")]
    populated = client.populate([{"name": "pg", "upstream": "127.0.0.1:5432", "listen": "127.0.0.1:0"}])
    said += [[each.name for each in populated], sorted(client.proxies()), client.destroy(proxy)]
    client.destroy_all()
    return [*said, client.proxies()]


def test_the_python_client_sees_no_difference(client: Toxiproxy, twins: Twins) -> None:
    """Values, exceptions and their texts."""
    assert told(client, twins.ours) == told(client, twins.real)


COMMANDS = (
    "list",
    "create --listen 127.0.0.1:0 --upstream 127.0.0.1:6379 redis",
    "create --listen 127.0.0.1:0 --upstream 127.0.0.1:6379 redis",
    "list",
    "toxic add --type latency --attribute latency=1000 --attribute jitter=50 redis",
    "toxic add --type limit_data --upstream --toxicity 0.5 --attribute bytes=1000 --toxicName cut redis",
    "toxic add --type nothing redis",
    "toxic add --type latency redis",
    "inspect redis",
    "toxic update --toxicName cut --attribute bytes=2000 --toxicity 0.25 redis",
    "toxic update --toxicName nothing --attribute bytes=2000 redis",
    "toxic delete --toxicName cut redis",
    "toxic delete --toxicName cut redis",
    "inspect redis",
    "toggle redis",
    "inspect redis",
    "list",
    "toggle redis",
    "delete redis",
    "delete redis",
    "inspect redis",
)


def typed(server: Server) -> list[tuple[str, int, str]]:
    """What the command line prints, without ports that a system chose."""
    seen = []
    for command in COMMANDS:
        host = f"http://127.0.0.1:{server.port}"
        done = subprocess.run(
            [toxiproxy_cli().program, "--host", host, *command.split()],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        text = re.sub(r"127\.0\.0\.1:(?!6379)\d+", "127.0.0.1:@", done.stdout + done.stderr)
        seen.append((command, done.returncode, text))
    return seen


def test_the_command_line_sees_no_difference(twins: Twins) -> None:
    """Every command: the same text and exit code."""
    if toxiproxy_cli().missing:
        pytest.skip(f"no toxiproxy-cli: {toxiproxy_cli().missing}")
    theirs = typed(twins.real)

    assert typed(twins.ours) == theirs
    assert {code for _, code, _ in theirs} == {0, 1}
