"""The throw-away authority: what OpenSSL makes of its papers, and the files that they are in."""

from __future__ import annotations

import socket
import ssl
import stat
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from chaosproxy.errors import UserError
from chaosproxy.lab.authority import checked_hosts, issue, write
from chaosproxy.proxy.certificates import KeyPair, client_context, distrust, server_context

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def meet(folder: Path, name: str, *, strictly: bool = True, ca: str | None = None) -> str:
    """A handshake over a socket pair; "fine", or what is said to a client that calls ``name``."""
    ours, theirs = socket.socketpair()
    server = server_context(KeyPair(str(folder / "cert.pem"), str(folder / "key.pem")))
    client = client_context(ca or str(folder / "ca.pem"))
    if strictly:
        client.verify_flags |= ssl.VERIFY_X509_STRICT

    def serve() -> None:
        with closing(ours), suppress(OSError):
            server.wrap_socket(ours, server_side=True).close()

    thread = Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(theirs, server_hostname=name).close()
    except ssl.SSLError as error:
        return distrust(error)
    finally:
        theirs.close()
        thread.join()
    return "fine"


@pytest.mark.parametrize(
    "name", ["api.openai.com", "eu.example.com", "localhost", "127.0.0.1", "::1", "xn--bcher-kva.example", "10.0.0.7"]
)
def test_openssl_accepts_it_for_each_name(tmp_path: Path, name: str) -> None:
    """Names and addresses are checked, in the strict way that is the default from Python 3.13 on."""
    write(issue(["api.openai.com", "*.example.com", "bücher.example", "10.0.0.7"], now=NOW, lasts=HOUR), tmp_path)

    assert meet(tmp_path, name) == "fine"


@pytest.mark.parametrize("name", ["example.org", "a.b.example.com", "10.0.0.8"])
def test_another_name_is_not_accepted(tmp_path: Path, name: str) -> None:
    """And the words say which one."""
    write(issue(["*.example.com", "10.0.0.7"], now=NOW, lasts=HOUR), tmp_path)

    words = meet(tmp_path, name)

    assert words.startswith("its certificate is not accepted: ")
    assert "mismatch" in words
    assert name in words


def test_an_expired_one_is_not_accepted(tmp_path: Path) -> None:
    """The words say that it is a matter of time."""
    write(issue([], now=NOW - 2 * HOUR, lasts=HOUR), tmp_path)

    assert (
        meet(tmp_path, "localhost") == "its certificate is not accepted: certificate has expired; has it been renewed?"
    )


def test_an_unknown_authority_is_not_accepted(tmp_path: Path) -> None:
    """Two authorities have nothing in common; the hint names the flag."""
    for name in ("a", "b"):
        write(issue([], now=NOW, lasts=HOUR), tmp_path / name)

    words = meet(tmp_path / "a", "localhost", ca=str(tmp_path / "b/ca.pem"))

    assert words.endswith("; trust its authority with --ca FILE")


def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    """Also where a file with another mode was, and the authority's key is nowhere."""
    (tmp_path / "key.pem").write_text("old")
    (tmp_path / "key.pem").chmod(0o644)
    papers = issue([], now=NOW, lasts=HOUR)
    write(papers, tmp_path, force=True)

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    assert b"".join(path.read_bytes() for path in tmp_path.iterdir()).count(b"PRIVATE KEY") == 2  # BEGIN and END of one
    assert "PRIVATE" not in repr(papers)


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    """One file that is there is enough, and none is written then."""
    (tmp_path / "cert.pem").write_text("mine")

    with pytest.raises(UserError, match=r"has cert\.pem already; choose another --dir, or overwrite with --force"):
        write(issue([], now=NOW, lasts=HOUR), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["cert.pem"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Words, no traceback."""
    (tmp_path / "file").write_text("")

    with pytest.raises(UserError, match=r"cannot write to .*file/in: "):
        write(issue([], now=NOW, lasts=HOUR), tmp_path / "file" / "in")


@pytest.mark.parametrize(
    "name", ["https://api.openai.com", "api.openai.com:443", "a b", "", "a..b", "-a.com", "*.*.com"]
)
def test_what_is_no_name(name: str) -> None:
    """A URL or a port gets a hint."""
    with pytest.raises(UserError, match=r"expected a host name such as api\.openai\.com") as refused:
        checked_hosts([name])

    assert ("without scheme, port or path" in str(refused.value)) is (":" in name)


def test_names_stand_once(tmp_path: Path) -> None:
    """Whatever their spelling."""
    assert checked_hosts(["LocalHost", "[::1]", "API.example.com"]) == (
        "localhost",
        "::1",
        "api.example.com",
        "127.0.0.1",
    )


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.delitem(sys.modules, "chaosproxy.lab.authority")
    monkeypatch.setitem(sys.modules, "cryptography", None)

    with pytest.raises(UserError, match=r"pip install 'chaosproxy\[tls\]'"):
        import chaosproxy.lab.authority  # noqa: F401
