"""TLS listeners as a user meets them: `chaosproxy ca`, `serve`, and a run whose gateway and load speak https to us."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.journal.traffic import Call, ExchangeRecord
from tests.cli.command import chaosproxy
from tests.e2e.drill import drill, small

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TLS = {"cert": "ca/cert.pem", "key": "ca/key.pem"}


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """What `chaosproxy ca` makes, in a folder beside the experiment."""
    made = chaosproxy("ca", "--dir", str(tmp_path / "ca"), "--host", "api.example.com")
    assert made.code == 0, made.err
    return tmp_path / "ca"


def test_a_run_through_tls_listeners(tmp_path: Path, papers: Path) -> None:
    """Called by the lab's gateway and by the load itself; both trust ``topology.ca``, and meet the faults."""
    gateway = {"lab": "gateway", "upstreams": {"a": "${listener.a}"}}
    systems = {"models": {"lab": "backend", "tokens": 6, "ttft": "10ms", "inter_token": "5ms"}, "gate": gateway}
    listeners = {"backends": {"a": {"upstream": "models", "tls": TLS}}, "ca": "ca/ca.pem"}
    fault = {
        "id": "cut",
        "target": "a",
        "at": "500ms",
        "lasts": "1s",
        "do": {"type": "stream.reset", "where": "token:3"},
    }

    through = drill(tmp_path, small(systems=systems, topology={"entry": "gate", **listeners}, faults=[fault]))
    straight = drill(
        tmp_path,
        small(topology={"entry": "${listener.a}", **listeners}, faults=[fault]),
    )

    for ended in (through, straight):
        assert ended.code in (0, 3), ended.out + ended.err
        assert any(record.sent.ended == "reset" for record in ended.all(ExchangeRecord))
        assert any(call.error is None and call.status == 200 for call in ended.all(Call))
    kinds = {call.error.kind for call in straight.all(Call) if call.error is not None}
    assert kinds == {"reset"}


def test_a_fin_without_close_notify_is_an_incomplete_answer(tmp_path: Path, papers: Path) -> None:
    """For our load, too: behind TLS it sees what it sees without."""
    topology = {"entry": "${listener.a}", "backends": {"a": {"upstream": "models", "tls": TLS}}, "ca": "ca/ca.pem"}
    fault = {"id": "cut", "target": "a", "at": "500ms", "lasts": "1s", "do": {"type": "stream.fin", "where": "token:3"}}

    ended = drill(tmp_path, small(topology=topology, faults=[fault]))

    assert {call.error.kind for call in ended.all(Call) if call.error is not None} == {"incomplete"}


@pytest.mark.parametrize(
    ("topology", "words"),
    [
        ({"tls": {"cert": "ca/no.pem"}}, "no.pem: no such file or directory"),
        ({"tls": {"cert": "ca/cert.pem"}}, "cert.pem has no private key in PEM"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_a_wrong_file(
    tmp_path: Path, papers: Path, topology: dict[str, Any], words: str
) -> None:
    """Before anything is started."""
    backends = {"a": {"upstream": "models", **topology}}
    ended = drill(tmp_path, small(topology={"entry": "${listener.a}", "backends": backends}))

    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_serve_speaks_https(papers: Path, tmp_path: Path) -> None:
    """The ready line says so; the journal and the log of a client that came in the clear have no secret."""
    argv = ["serve", "--upstream", "http://127.0.0.1:1", "--listen", ":0", "--json", "--leash"]
    argv += ["--tls-cert", str(papers / "cert.pem"), "--tls-key", str(papers / "key.pem")]
    argv += ["--fault", "http.status status=503", "--journal", str(tmp_path / "journal.ndjson")]
    serving = subprocess.Popen(
        [sys.executable, "-m", "chaosproxy", *argv], stdin=-1, stdout=-1, stderr=-1, text=True, cwd=tmp_path
    )
    assert serving.stdin is not None
    assert serving.stdout is not None
    try:
        url = json.loads(serving.stdout.readline())["listeners"]["main"]["url"]
        context = ssl.create_default_context(cafile=papers / "ca.pem")
        with pytest.raises(urllib.error.HTTPError) as answered:
            urllib.request.urlopen(f"{url}/v1/models", context=context)  # noqa: S310 - ours
        with pytest.raises(urllib.error.HTTPError) as in_the_clear:
            urllib.request.urlopen(f"{url.replace('https', 'http')}/v1/models")  # noqa: S310
    finally:
        out, err = serving.communicate("")
    answered.value.close()
    in_the_clear.value.close()

    assert url.startswith("https://127.0.0.1:")
    assert answered.value.code == 503
    assert in_the_clear.value.code == 400
    assert "tls_plain_http" in err
    secret = (papers / "key.pem").read_text().splitlines()[1]
    assert secret not in out + err + (tmp_path / "journal.ndjson").read_text()
