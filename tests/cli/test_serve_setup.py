"""What ``chaosproxy serve`` makes of flags, environment and file."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosproxy.cli.setup import Given, read_token, set_up
from chaosproxy.errors import InvalidExperiment, UserError

UPSTREAM = "http://127.0.0.1:8000"
TWO = """
seed: 5
listeners:
  a: {listen: "127.0.0.1:9101", upstream: "http://127.0.0.1:1", faults: ["sse.drop each=7"]}
  b: {listen: "127.0.0.1:9102", upstream: "http://127.0.0.1:2", role: spare}
"""
ONE = 'listeners: {only: {listen: "127.0.0.1:9101", upstream: "http://127.0.0.1:1"}}'


def given(
    *faults: str,
    listen: str | None = None,
    upstream: str | None = None,
    seed: int | None = None,
    config: str | None = None,
    connections_max: int | None = None,
    allow_header_faults: bool = False,
) -> Given:
    """What a user typed."""
    return Given(listen, upstream, faults, seed, config, None, connections_max, allow_header_faults)


def mistakes(wrong: Given) -> str:
    """The whole message."""
    with pytest.raises(InvalidExperiment) as refused:
        set_up(wrong)
    return str(refused.value)


@pytest.fixture
def two(tmp_path: Path) -> str:
    """A file with two listeners."""
    file = tmp_path / "proxies.yaml"
    file.write_text(TWO, encoding="utf-8")
    return str(file)


def test_one_upstream_needs_no_file() -> None:
    """Loopback, port 9001, a random seed and no fault."""
    service = set_up(given(upstream=UPSTREAM))

    (listener,) = service.listeners
    assert (listener.listen, listener.upstream) == ("127.0.0.1:9001", UPSTREAM)
    assert service.rules == ()


def test_two_runs_draw_different_seeds() -> None:
    """Without --seed chance is chance; the ready line tells which."""
    assert set_up(given(upstream=UPSTREAM)).seed != set_up(given(upstream=UPSTREAM)).seed


def test_faults_become_rules_for_every_listener(two: str) -> None:
    """Unless they name a target; ids are made of the fault's name and stay unique."""
    service = set_up(given("sse.drop each=3", "sse.drop target=b share=20%", config=two))

    assert [(rule.id, rule.listeners) for rule in service.rules] == [
        ("a-sse-drop", ("a",)),
        ("sse.drop", ("a", "b")),
        ("sse.drop-2", ("b",)),
    ]
    assert service.rules[2].share == 0.2


def test_flags_win_over_the_file(tmp_path: Path, two: str) -> None:
    """Seed, and address and upstream of a file with one listener."""
    one = tmp_path / "one.yaml"
    one.write_text(ONE, encoding="utf-8")

    (listener,) = set_up(given(listen=":9300", upstream=UPSTREAM, config=str(one))).listeners

    assert (listener.name, listener.listen, listener.upstream) == ("only", "127.0.0.1:9300", UPSTREAM)
    assert set_up(given(seed=6, config=two)).seed == 6
    assert set_up(given(config=two)).seed == 5


def test_the_limit_of_connections_comes_from_flag_or_file(tmp_path: Path) -> None:
    """The flag wins; without both the proxy chooses."""
    file = tmp_path / "one.yaml"
    file.write_text(f"{ONE}\nconnections_max: 40\n", encoding="utf-8")

    assert set_up(given(upstream=UPSTREAM)).connections_max is None
    assert set_up(given(config=str(file))).connections_max == 40
    assert set_up(given(config=str(file), connections_max=50)).connections_max == 50


def test_requests_may_ask_for_faults_when_flag_or_file_says_so(tmp_path: Path) -> None:
    """Never by default."""
    file = tmp_path / "one.yaml"
    file.write_text(f"{ONE}\nallow_header_faults: true\n", encoding="utf-8")

    assert not set_up(given(upstream=UPSTREAM)).allow_header_faults
    assert set_up(given(upstream=UPSTREAM, allow_header_faults=True)).allow_header_faults
    assert set_up(given(config=str(file))).allow_header_faults


def test_one_address_for_several_listeners_is_refused(two: str) -> None:
    """Nobody could say which one was meant."""
    assert "--listen: is for one listener" in mistakes(given(listen=":1", config=two))


def test_all_mistakes_are_told_at_once() -> None:
    """Of the address, of the upstream and of several faults."""
    message = mistakes(given("sse.dorp", "sse.drop each=0 share=20", listen="9001", upstream="foo"))

    assert len(message.splitlines()) == 5
    assert "--listen: expected HOST:PORT" in message
    assert "--upstream: expected an http or https URL, or tcp://HOST:PORT, got 'foo'" in message
    assert "--fault 'sse.dorp': unknown fault 'sse.dorp', did you mean 'sse.drop'?" in message


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("sse.drop target=c", "target=c: no such listener; there are a, b"),
        ("sse.drop id=a-sse-drop", "id=a-sse-drop: another fault has this id"),
        ("conn.refuse share=20%", "before any request is known"),
        ("", "expected a fault, such as"),
    ],
)
def test_a_wrong_fault_is_explained(two: str, fault: str, words: str) -> None:
    """The flag is quoted, so that it is found among several."""
    message = mistakes(given(fault, config=two))

    assert f"--fault {fault!r}: " in message
    assert words in message


def test_an_upstream_must_be_given() -> None:
    """By flag, environment or file."""
    assert "--upstream: is missing" in mistakes(given())


def test_a_token_comes_from_its_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never from a flag, which everybody on the machine could read."""
    file = tmp_path / "token"
    file.write_text(" secret\n", encoding="utf-8")
    monkeypatch.setenv("CHAOSPROXY_TOKEN", "other")

    assert read_token(str(file)) == "secret"
    assert read_token(None) == "other"
    monkeypatch.delenv("CHAOSPROXY_TOKEN")
    assert read_token(None) is None


def test_an_empty_token_file_is_refused(tmp_path: Path) -> None:
    """An empty token would let everybody in."""
    file = tmp_path / "token"
    file.write_text("\n", encoding="utf-8")

    with pytest.raises(UserError, match="is empty"):
        read_token(str(file))


def test_a_tcp_port_takes_faults_for_ports() -> None:
    """Toxics yes, statuses no; the reason says what there is instead."""
    service = set_up(given("toxic.latency latency=100ms", "conn.refuse", upstream="tcp://127.0.0.1:6379"))

    assert service.listeners[0].is_tcp
    assert [rule.do.type for rule in service.rules] == ["toxic.latency", "conn.refuse"]
    assert mistakes(given("http.status", upstream="tcp://127.0.0.1:6379")) == (
        "--fault 'http.status': main is a TCP port: http.status acts on HTTP requests; at a tcp:// upstream there are "
        "only bytes: toxic.*, partition, or conn.refuse, conn.reset, conn.close with stage=accept"
    )
