"""``chaosproxy inject``, ``heal``, ``status`` and ``stop``, on a proxy that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosproxy.control.address import control_url
from chaosproxy.errors import UserError
from tests.cli.command import chaosproxy
from tests.control.plane import plane_beside
from tests.e2e.drill import free_port

TOKEN = "the-token-of-this-test"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A proxy with the listeners a and b; the environment says where it is."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    with plane_beside(TOKEN) as url:
        monkeypatch.setenv("CHAOSPROXY_CONTROL", url)
        monkeypatch.setenv("CHAOSPROXY_TOKEN_FILE", str(tmp_path / "token"))
        yield url


def _active() -> list[str]:
    said = chaosproxy("status", "--json")
    assert said.code == 0, said.err
    return [fault["id"] for fault in json.loads(said.out)["active"]]


def test_inject_status_heal(proxy: str) -> None:
    """What is injected is active, told with its times, and over when it is healed."""
    said = chaosproxy("inject", "http.status", "status=503", "share=20%", "--on", "a", "--lease", "30s")
    assert (said.code, said.err) == (0, "")
    assert said.out == "http.status is active on a for 30s; `chaosproxy heal http.status` ends it\n"
    told = chaosproxy("status").out
    assert "fault http.status on a, of hand: http.status status=503 share=20%\n  since " in told
    assert ", 0 hits\n" in told
    assert chaosproxy("heal", "http.status").out == "http.status is over\n"
    assert "no fault is active" in chaosproxy("status").out


def test_the_environment_is_not_the_only_way(proxy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``--control`` and ``--token-file``."""
    monkeypatch.delenv("CHAOSPROXY_CONTROL")
    monkeypatch.delenv("CHAOSPROXY_TOKEN_FILE")
    said = chaosproxy("status", "--control", proxy, "--token-file", str(tmp_path / "token"))
    assert (said.code, said.err) == (0, "")
    monkeypatch.setenv("CHAOSPROXY_TOKEN", TOKEN)
    assert chaosproxy("status", "--control", proxy.removeprefix("http://")).code == 0


def test_ids_are_found_and_given(proxy: str) -> None:
    """Two of a kind get two; ``id=`` is taken as it is."""
    for words in ([], [], ["id=mine"]):
        assert chaosproxy("inject", "time.stall", *words, "--on", "a", "--on", "b").code == 0
    assert _active() == ["time.stall", "time.stall-2", "mine"]
    assert chaosproxy("heal").out == "over: time.stall, time.stall-2, mine\n"
    assert chaosproxy("heal").out == "nothing was active\n"


def test_stop_and_unlock(proxy: str) -> None:
    """Locked, new faults are refused with the reason, until it is unlocked."""
    chaosproxy("inject", "time.stall", "--on", "a")
    assert chaosproxy("stop", "--all").out == "all faults are over\n"
    assert _active() == []
    chaosproxy("inject", "time.stall", "--on", "a")
    said = chaosproxy("stop", "--all", "--lock", "--why", "incident 4711")
    assert said.out == "all faults are over, and new ones are refused: incident 4711\n"
    assert _active() == []
    refused = chaosproxy("inject", "time.stall", "--on", "a")
    assert (refused.code, refused.out) == (5, "")
    assert "nothing is injected here: incident 4711" in refused.err
    assert "stopped, nothing is injected: incident 4711" in chaosproxy("status").out
    assert chaosproxy("stop", "--unlock").out == "unlocked: runs and faults are let in again\n"
    assert chaosproxy("inject", "time.stall", "--on", "a").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inject", "time.stall"], "inject: --on: which listener? There are a, b\n"),
        (
            ["inject", "time.stall", "wher=token:3", "shar=3", "--on", "c"],
            (
                "inject: wher: unknown key, did you mean 'where'?\ninject: shar: unknown key, did you mean 'share'?\n"
                "inject: --on c: no such listener; there are a, b\n"
            ),
        ),
        (["inject", "time.stal", "--on", "a"], "did you mean 'time.stall'?"),
        (["inject", "time.stall", "--on", "a", "--lease", "30"], "--lease: expected a time with its unit"),
        (["inject", "time.stall", "--on", "a", "--lease", "2h"], "--lease: more than 0s and at most 3600s, got 2h\n"),
        (["inject", "time.stall", "target=a", "--on", "a"], "inject: --on and target= say the same"),
        (["heal", "x", "--all"], "a fault or --all, not both\n"),
        (["stop"], "say --all to end all faults"),
        (["stop", "--unlock", "--all"], "--unlock stands alone\n"),
        (["stop", "--all", "--why", "x"], "--why is the reason of a --lock\n"),
    ],
)
def test_mistakes_are_said_in_words(proxy: str, words: list[str], message: str) -> None:
    """With the exit code of a wrong command line, and nothing done."""
    said = chaosproxy(*words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert _active() == []


def test_an_unknown_fault_cannot_be_healed(proxy: str) -> None:
    """It says what is active."""
    said = chaosproxy("heal", "nothing")
    assert said.code == 5
    assert "no fault 'nothing' is active; active: none" in said.err


def test_a_proxy_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address and the reason, no traceback; without an address it says how to give one."""
    monkeypatch.delenv("CHAOSPROXY_CONTROL", raising=False)
    url = f"http://127.0.0.1:{free_port()}"
    for words in (["status"], ["heal"], ["inject", "time.stall"], ["stop", "--all"]):
        said = chaosproxy(*words, "--control", url)
        assert (said.code, said.out) == (5, "")
        assert said.err.startswith(f"the proxy at {url} cannot be reached: ")
        assert "Traceback" not in said.err
        assert chaosproxy(*words).err.startswith("--control: which proxy?")


def test_a_wrong_token_is_said(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the token itself is not."""
    monkeypatch.delenv("CHAOSPROXY_TOKEN_FILE")
    monkeypatch.setenv("CHAOSPROXY_TOKEN", "a-wrong-token")
    said = chaosproxy("status")
    assert said.code == 5
    assert "not the token" in said.err
    assert "a-wrong-token" not in said.err


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://chaos.staging:8666/", "http://chaos.staging:8666"),
        ("0.0.0.0:8666", "http://127.0.0.1:8666"),
        (":8666", "http://127.0.0.1:8666"),
        ("[::]:8666", "http://[::1]:8666"),
        ("https://chaos/proxy", "https://chaos/proxy"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    """As people say them, and as a sidecar's own environment does."""
    assert control_url(text) == url


@pytest.mark.parametrize(
    "text", ["", None, "ftp://x:1", "http://", "http://x:y", "http://u:pa55word@x:1", "http://x?a=b"]
)
def test_wrong_addresses(text: str | None) -> None:
    """A password in one is not repeated."""
    with pytest.raises(UserError, match="--control: ") as caught:
        control_url(text)
    assert "pa55word" not in str(caught.value)
