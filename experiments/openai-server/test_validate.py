"""D7, D8, D9, D10, D11: what `chaosproxy validate` says, and that the same seed gives the same faults.

    pytest experiments/openai-server/test_validate.py

COMMAND is the command under test (default: chaosproxy validate), SEED the seed of the second run of D9 (default: 7).
"""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request

PROGRAM = f"{shlex.quote(sys.executable)} -m chaosproxy"
COMMAND = shlex.split(os.environ.get("COMMAND") or f"{PROGRAM} validate")
SEED = os.environ.get("SEED", "7")
LINE = re.compile(r"\[[ \d]\d/20\] (NORMAL|STREAM) \S+ (OK|FAILED) \d+\.\d{3}s")


def validate(*words, **env):
    done = subprocess.run(
        [*COMMAND, *words], env={**os.environ, **env}, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout.splitlines()


def test_exit_codes_and_last_lines(chaos):
    """D7: 0 and pass; 1 and fail, also when the server is absent."""
    server = chaos.backend()
    code, lines = validate(server.url, "--metrics", "none")
    assert (code, lines[-1]) == (0, "pass")
    with server.fault("http.status", status=503):
        code, lines = validate(server.url, "--metrics", "none")
    assert (code, lines[-1]) == (1, "fail")
    code, lines = validate("http://127.0.0.1:9", "--server-timeout", "1s")
    assert (code, lines[-1]) == (1, "fail")


def test_environment(chaos):
    """D8: host, port and both timeouts by variables."""
    port = chaos.backend().url.rpartition(":")[2]
    variables = {"FAKEAI_HOST": "127.0.0.1", "FAKEAI_PORT": port, "SERVER_TIMEOUT": "20", "REQUEST_TIMEOUT": "15"}
    code, lines = validate("--metrics", "none", **variables)
    assert (code, lines[-1]) == (0, "pass")


def test_lines(chaos):
    """D10: one line per request, then a summary."""
    _, lines = validate(chaos.backend().url, "--metrics", "none")
    assert len([line for line in lines if LINE.fullmatch(line)]) == 20
    assert re.match(r"\d+/\d+ checks, pass rate .*; streamed 10/10, plain 10/10, mean ", lines[-2])


def test_log(chaos, tmp_path):
    """D11: exceptions since the start are found, those of before are not; the first five lines are shown."""
    log = tmp_path / "server.log"
    program = tmp_path / "print_log.py"
    log.write_text("OldError: of yesterday\n")
    prints, grows = "print(open(log).read(), end='')", "open(log, 'a').write('NewError: x\\n' * 9)"
    program.write_text(f"log = {str(log)!r}\n{prints}\n{grows}\n")
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))}"
    code, lines = validate(chaos.backend().url, "--metrics", "none", "--log-command", command)
    (told,) = [line for line in lines if "log without exceptions" in line]
    assert (code, lines[-1]) == (1, "partial")
    assert told.count("NewError") == 5
    assert "OldError" not in told


def test_same_seed_same_faults(chaos):
    """D9: of forty requests the same ones fail, in two runs of a proxy."""
    url = chaos.backend().url
    first, second = statuses(url, "7"), statuses(url, SEED)
    assert set(first) == {200, 500}
    assert first == second


def statuses(upstream, seed):
    words = ["serve", "--upstream", upstream, "--listen", "127.0.0.1:0", "--seed", seed, "--json"]
    command = [*shlex.split(PROGRAM), *words, "--fault", "http.status status=500 share=50%"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = json.loads(process.stdout.readline())["listeners"]["main"]["url"]
        return [status(url, number) for number in range(40)]
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def status(url, number):
    body = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
    request = urllib.request.Request(  # noqa: S310 - http
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
