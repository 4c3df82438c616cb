"""``chaosproxy enumerate`` on a client that a user might have written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import chaosproxy

CLIENT = """\
import asyncio, json
from contextlib import asynccontextmanager
import aiohttp


@asynccontextmanager
async def client(urls):
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=20)) as session:
        async def call(asked, retries=1):
            body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": asked.prompt}]}
            async with session.post(asked.url + "/v1/chat/completions", json=body) as response:
                if response.status != 200:
                    if not retries:
                        response.raise_for_status()
                    return await call(asked, retries - 1)
                text, finished = "", bool(not retries)  # it forgets to look after a retry
                async for line in response.content:
                    if line.startswith(b"data: {"):
                        (choice,) = json.loads(line[6:])["choices"]
                        text += choice["delta"].get("content") or ""
                        finished = finished or choice["finish_reason"] is not None
                if not finished:
                    raise ValueError("half an answer")
                return text
        yield call


async def fails(asked):
    raise ValueError("always")


async def lies(asked):
    return "something else"
"""
CUT, ERROR = ("--fault", "stream.truncate where=token:2"), ("--fault", "http.status status=500")


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the user's module in it, which is forgotten afterwards."""
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "enumerated_client", raising=False)
    (tmp_path / "enumerated_client.py").write_text(CLIENT, encoding="utf-8")


def enumerate_plans(*words: str, target: str = "client") -> tuple[int, str, str]:
    """Exit code and output."""
    ended = chaosproxy("enumerate", "--target", f"enumerated_client:{target}", *words)
    return ended.code, ended.out, ended.err


def test_a_pair_is_found_written_and_replayed(tmp_path: Path) -> None:
    """1; the table says where the client broke its promise, and replay fails, too."""
    code, out, err = enumerate_plans(*CUT, *ERROR)

    assert (code, err) == (1, "")
    assert "FOUND silent_truncated: http.status at primary#1, stream.truncate at primary#2: the call returned" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["fault", "primary#1", "primary#2"] in rows
    assert ["stream.truncate", "survived", "silent_truncated"] in rows
    assert ["http.status", "survived", "survived"] in rows
    assert "1 finding: 5 runs in " in out
    assert "all sets of up to 2 faults on 2 exchanges are 9 (" in out
    again = chaosproxy("replay", str(next((tmp_path / "found").glob("*.yaml"))))
    assert (again.code, again.out.partition(" ")[0]) == (1, "STILL"), again.err


def test_nothing_is_found_with_one_fault_at_once(tmp_path: Path) -> None:
    """0, and nothing is written."""
    code, out, _ = enumerate_plans(*CUT, *ERROR, "--max-faults", "1")

    assert code == 0
    assert "no finding: 3 runs in " in out
    assert not (tmp_path / "found").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--fault", "stream.truncat"), "--fault 'stream.truncat': unknown fault 'stream.truncat'"),
        (("--fault", "http.status share=20%"), "share: for which exchange it is, is what is enumerated"),
        (("--fault", "toxic.latency"), "it acts on connections, and cannot be given to one request"),
        (("--dialect", "openai.cat"), "did you mean 'openai.chat'?"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], message: str) -> None:
    """2, in words."""
    code, _, err = enumerate_plans(*words)

    assert code == 2
    assert message in err


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("fails", "fails without any fault: it raised builtins.ValueError: always"),
        ("lies", "fails without any fault: it returned 'something else'"),
    ],
)
def test_a_target_must_work_without_faults(target: str, message: str) -> None:
    """Else every fault would seem to break it."""
    code, _, err = enumerate_plans(*CUT, target=target)

    assert code == 2
    assert message in err
