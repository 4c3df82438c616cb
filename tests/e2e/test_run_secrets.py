"""Secrets that stand in a file, in a URL or in the environment show up nowhere: not in files, not in the output."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.drill import Ended, chaosproxy, drill, family, free_port, repeat_inconclusive, running, small, write

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HEADER = "sk-header-6b1f9d"
FROM_ENV = "sk-environment-2c77a0"
USER, PASSWORD = "somebody-4e1b", "hunter2-93fa5c"
PROMPT = "the-merger-closes-on-friday-81d2"
SECRETS = (HEADER, FROM_ENV, USER, PASSWORD, PROMPT)
HEADERS = {"authorization": f"Bearer {HEADER}", "x-api-key": "${env:DRILL_TEST_KEY}"}


def experiment(folder: Path, **sections: object) -> str:
    """A drill with secrets in its prompts and header fields."""
    (folder / "prompts.txt").write_text(f"{PROMPT}\n", encoding="utf-8")
    values: dict[str, object] = {
        "load": {
            "arrival": {"rate": "10/s", "process": "constant"},
            "request": {"timeout": "2s", "headers": HEADERS},
            "prompts": "file:prompts.txt",
        },
    }
    return small(**{**values, **sections})


def behind_a_password(port: int) -> str:
    """A URL with a user and a password, which a client turns into an Authorization field."""
    return f"http://{USER}:{PASSWORD}@127.0.0.1:{port}"


def check_silent(ended: Ended) -> None:
    """No secret stands anywhere; the run must have left something to look at."""
    files = [path for path in ended.results.rglob("*") if path.is_file()]
    assert {"journal.jsonl", "report.json"} <= {path.name for path in files}
    said = {str(path): path.read_bytes() for path in files}
    said |= {"stdout": ended.out.encode(), "stderr": ended.err.encode()}
    found = [(place, secret) for place, text in said.items() for secret in SECRETS if secret.encode() in text]
    assert found == []


def silent(ended: Ended) -> bool:
    """Whether its output holds no secret."""
    return not any(secret in ended.out + ended.err for secret in SECRETS)


def test_a_run_that_held(tmp_path: Path) -> None:
    """Header fields of the load, the environment, and prompts stay where they are."""
    env = {"DRILL_TEST_KEY": FROM_ENV}
    ended = repeat_inconclusive(lambda: drill(tmp_path, experiment(tmp_path), env=env))

    assert ended.code == 0, ended.out + ended.err
    check_silent(ended)


def test_an_entry_with_a_password(tmp_path: Path) -> None:
    """Its calls go out with them and come back; neither they nor the plan say as whom."""
    port = free_port()
    backends = {"a": {"listen": f"127.0.0.1:{port}", "upstream": "models"}}
    text = small(topology={"entry": behind_a_password(port), "backends": backends})
    ended = repeat_inconclusive(lambda: drill(tmp_path, text))

    assert ended.code == 0, ended.out + ended.err
    check_silent(ended)
    assert silent(chaosproxy("plan", "drill.yaml", cwd=tmp_path))


def test_an_entry_with_a_password_that_is_down(tmp_path: Path) -> None:
    """The gate says that nobody answered, and not as whom we asked."""
    topology = {"entry": behind_a_password(free_port()), "backends": {"a": {"upstream": "models"}}}
    ended = drill(tmp_path, small(topology=topology))

    assert ended.code == 3, ended.out + ended.err
    check_silent(ended)


def test_an_upstream_with_a_password_is_refused(tmp_path: Path) -> None:
    """Before anything starts, with its place and without the password: a key belongs into a header field."""
    topology = {"entry": "${listener.a}", "backends": {"a": {"upstream": behind_a_password(1)}}}
    ended = drill(tmp_path, small(topology=topology))

    assert ended.code == 2, ended.out + ended.err
    assert ended.err.startswith("drill.yaml:5:")
    assert "an upstream has no user, password, query or fragment" in ended.err
    assert silent(ended)


def test_a_run_that_breaks(tmp_path: Path) -> None:
    """Not in the words of an error either, when a system does not start that was given secrets."""
    systems = {"models": {"command": ["no-such-program-of-ours", HEADER], "env": {"KEY": "${env:DRILL_TEST_KEY}"}}}
    ended = drill(tmp_path, experiment(tmp_path, systems=systems), env={"DRILL_TEST_KEY": FROM_ENV})

    assert ended.code == 5, ended.out + ended.err
    check_silent(ended)


def test_a_wrong_file_with_secrets(tmp_path: Path) -> None:
    """A message about a value does not repeat what the environment or a URL holds."""
    text = experiment(tmp_path, hypothesis=["succes >= 1%"], seed="${env:DRILL_TEST_KEY}")
    ended = drill(tmp_path, text, env={"DRILL_TEST_KEY": FROM_ENV})

    assert ended.code == 2
    assert silent(ended)


@pytest.mark.skipif(sys.platform != "linux", reason="command lines are read in /proc")
def test_no_command_line_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run goes on, other users of the machine see no secret in its processes' arguments, nor read its files."""
    monkeypatch.setenv("DRILL_TEST_KEY", FROM_ENV)
    with running(tmp_path, experiment(tmp_path)) as run:
        run.until("cut applied")
        commands = family(run.mark).values()
        readable = [
            path
            for path in (tmp_path / "out").rglob("*")
            if path.is_file() and path.stat().st_mode & 0o077 and any(s.encode() in path.read_bytes() for s in SECRETS)
        ]

    assert len(commands) == 4
    assert [command for command in commands if any(secret in command for secret in SECRETS)] == []
    assert readable == []


def test_plan_shows_none(tmp_path: Path) -> None:
    """``chaosproxy plan`` describes the same file and keeps quiet as well."""
    ended = chaosproxy("plan", write(tmp_path, experiment(tmp_path)), cwd=tmp_path, env={"DRILL_TEST_KEY": FROM_ENV})

    assert ended.code == 0, ended.err
    assert silent(ended)
