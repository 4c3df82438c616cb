"""``chaosproxy ca``: the files, what it prints, and what it refuses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from chaosproxy.cli.setup import Given, set_up
from chaosproxy.errors import InvalidExperiment
from chaosproxy.proxy.certificates import KeyPair
from tests.cli.command import chaosproxy

ONE = 'listeners: {only: {upstream: "http://127.0.0.1:1", tls: {cert: a.pem, key: b.pem}}}'
TWO = 'listeners: {a: {upstream: "http://127.0.0.1:1"}, b: {upstream: "http://127.0.0.1:2"}}'


def given(cert: str | None, key: str | None = None, config: Path | None = None) -> Given:
    """What a user typed after ``serve``."""
    upstream = None if config else "http://127.0.0.1:1"
    return Given(None, upstream, (), 1, str(config) if config else None, None, tls_cert=cert, tls_key=key)


def test_it_says_how_to_use_the_files(tmp_path: Path) -> None:
    """Each path that it prints exists, and no secret is printed."""
    folder = tmp_path / "my papers"
    ended = chaosproxy("ca", "--dir", str(folder), "--host", "api.example.com", "--days", "2")

    assert ended.code == 0, ended.err
    assert "for api.example.com, localhost, 127.0.0.1, ::1; until " in ended.out
    assert all(name in ended.out for name in ("SSL_CERT_FILE=", "NODE_EXTRA_CA_CERTS=", "--cacert ", "--tls-key "))
    paths = {word.rpartition("=")[2] for line in ended.out.splitlines() for word in _words(line) if ".pem" in word}
    assert {str(folder / name) for name in ("ca.pem", "cert.pem", "key.pem")} <= paths
    assert "PRIVATE KEY" not in ended.out + ended.err


def _words(line: str) -> list[str]:
    """Of the lines that a shell takes."""
    return shlex.split(line, comments=True) if line.startswith("  ") else []


def test_it_overwrites_only_when_told(tmp_path: Path) -> None:
    """A new authority each time."""
    words = ("ca", "--dir", str(tmp_path))
    assert chaosproxy(*words).code == 0
    before = (tmp_path / "ca.pem").read_text()

    refused = chaosproxy(*words)
    assert (refused.code, (tmp_path / "ca.pem").read_text()) == (2, before)
    assert "overwrite with --force" in refused.err
    assert chaosproxy(*words, "--force").code == 0
    assert (tmp_path / "ca.pem").read_text() != before


def test_a_wrong_name_is_exit_code_2(tmp_path: Path) -> None:
    """In words, and nothing is written."""
    ended = chaosproxy("ca", "--dir", str(tmp_path / "x"), "--host", "https://api.openai.com/v1")

    assert ended.code == 2
    assert "without scheme, port or path" in ended.err
    assert not (tmp_path / "x").exists()


def test_serve_takes_a_certificate() -> None:
    """By two flags, or by one when the key is in the same file."""
    assert set_up(given("c.pem", "k.pem")).listeners[0].tls == KeyPair("c.pem", "k.pem")
    assert set_up(given("c.pem")).listeners[0].tls == KeyPair("c.pem")
    assert set_up(given(None)).listeners[0].tls is None


def test_a_file_has_a_certificate_and_flags_win(tmp_path: Path) -> None:
    """As with all that a file says."""
    (tmp_path / "one.yaml").write_text(ONE)

    assert set_up(given(None, config=tmp_path / "one.yaml")).listeners[0].tls == KeyPair("a.pem", "b.pem")
    assert set_up(given("c.pem", config=tmp_path / "one.yaml")).listeners[0].tls == KeyPair("c.pem")


def test_flags_that_cannot_be(tmp_path: Path) -> None:
    """A key alone, and one certificate for two listeners."""
    (tmp_path / "two.yaml").write_text(TWO)

    with pytest.raises(InvalidExperiment, match="--tls-key: belongs to a certificate"):
        set_up(given(None, "k.pem"))
    with pytest.raises(InvalidExperiment, match=r"--tls-cert: is for one listener, and .* has 2 listeners"):
        set_up(given("c.pem", config=tmp_path / "two.yaml"))


@pytest.mark.parametrize("word", ["cert", "key"])
def test_the_help_names_the_files(word: str) -> None:
    """`serve --help` has both flags, with their variables."""
    assert re.search(rf"--tls-{word}\s+FILE", chaosproxy("serve", "--help").out)
    assert f"CHAOSPROXY_TLS_{word.upper()}" in chaosproxy("serve", "--help").out
