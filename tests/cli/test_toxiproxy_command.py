from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "chaosproxy", "toxiproxy"]


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    """To its end."""
    return subprocess.run([*COMMAND, *flags], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("flag", ["--version", "-version"])
def test_it_stands_for_a_version_of_toxiproxy(flag: str) -> None:
    """In the words of the reference."""
    assert run(flag).stdout == "toxiproxy-server version 2.12.0\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--port", "x"], "Invalid value for '--port' / '-port'"),
        (["--port", "70000"], "Invalid value for '--port' / '-port'"),
        (["--seed", "x"], "Invalid value for '--seed' / '-seed'"),
        (["--prot", "1"], "No such option: --prot"),
    ],
)
def test_a_wrong_flag_is_named(flags: list[str], words: str) -> None:
    """And nothing is started."""
    done = run(*flags)

    assert done.returncode == 2
    assert words in done.stderr


def test_a_host_that_is_none_is_an_error() -> None:
    """Not a traceback."""
    done = run("--host", "nosuch.invalid", "--port", "0")

    assert done.returncode == 5
    assert done.stderr.startswith("cannot listen on nosuch.invalid:0: ")


@pytest.mark.e2e
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_when_told(ending: signal.Signals, tmp_path: Path) -> None:
    """In JSON lines, the seed and what came of its file included."""
    config = tmp_path / "toxiproxy.json"
    config.write_text('[{"name":"a","upstream":"u:1"}]', encoding="utf-8")
    flags = ["-host=127.0.0.1", "-port=0", "-seed=7", f"-config={config}"]
    process = subprocess.Popen([*COMMAND, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(ending)
    out, err = process.communicate(timeout=30)

    assert [each["message"] for each in said] == [
        "Starting Toxiproxy",
        "Populated proxies from file",
        "Starting Toxiproxy HTTP server",
    ]
    assert (said[0]["seed"], said[1]["proxies"], said[2]["level"]) == (7, 1, "info")
    assert said[2]["address"].startswith("127.0.0.1:")
    assert json.loads(out)["message"] == "Shutdown started"
    assert (process.returncode, err) == (0, "")


@pytest.mark.e2e
@pytest.mark.parametrize("content", [None, "{", '[{"name":"a"}]', '[{"name":"a","upstream":"u","listen":"nocolon"}]'])
def test_a_bad_file_is_logged_and_it_starts(content: str | None, tmp_path: Path) -> None:
    """The line names the file and the mistake."""
    config = tmp_path / "toxiproxy.json"
    if content is not None:
        config.write_text(content, encoding="utf-8")
    flags = ["--port", "0", "--config", str(config)]
    process = subprocess.Popen([*COMMAND, *flags], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.terminate()
    process.communicate(timeout=30)

    assert (said[1]["level"], said[1]["config"]) == ("error", str(config))
    assert said[2]["message"] == "Starting Toxiproxy HTTP server"
