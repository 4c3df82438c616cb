"""The contexts of both sides, and what is said of files that cannot be used."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from chaosproxy.errors import UserError
from chaosproxy.lab.authority import issue, write
from chaosproxy.proxy.certificates import KeyPair, client_context, distrust, server_context


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A folder with all three files."""
    write(issue([], now=datetime.now(UTC), lasts=timedelta(hours=1)), tmp_path)
    return tmp_path


def mistake(cert: Path, key: Path | None = None) -> str:
    """What is said of these files."""
    with pytest.raises(UserError) as refused:
        server_context(KeyPair(str(cert), None if key is None else str(key)))
    return str(refused.value)


def test_a_listeners_context(papers: Path) -> None:
    """TLS 1.2 or newer, no compression, no renegotiation, no question for a client's certificate."""
    context = server_context(KeyPair(str(papers / "cert.pem"), str(papers / "key.pem")))

    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.verify_mode is ssl.CERT_NONE


def test_both_in_one_file(papers: Path) -> None:
    """As some tools write them."""
    both = papers / "both.pem"
    both.write_bytes((papers / "cert.pem").read_bytes() + (papers / "key.pem").read_bytes())

    assert server_context(KeyPair(str(both))).cert_store_stats()["x509"] == 0  # it could be loaded, and trusts nobody


def test_an_upstreams_context_checks_names(papers: Path) -> None:
    """With the system's authorities and one more; for HTTP and for bytes that are none."""
    for alpn in (("http/1.1",), ()):
        context = client_context(str(papers / "ca.pem"), alpn)
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        subjects = str(context.get_ca_certs())
        assert "chaosproxy throw-away authority" in subjects


def test_files_that_are_not_there(papers: Path) -> None:
    """Each by its name."""
    assert mistake(papers / "no.pem", papers / "key.pem") == f"cannot read {papers}/no.pem: no such file or directory"
    assert mistake(papers / "cert.pem", papers / "no.pem") == f"cannot read {papers}/no.pem: no such file or directory"
    assert mistake(papers) == f"cannot read {papers}: is a directory"
    with pytest.raises(UserError, match=r"cannot read certificates from .*no\.pem"):
        client_context(str(papers / "no.pem"))


def test_files_that_are_something_else(papers: Path) -> None:
    """No secret of theirs is in the words."""
    (papers / "text").write_text("hello")

    assert mistake(papers / "text", papers / "key.pem") == f"{papers}/text has no certificate in PEM"
    assert mistake(papers / "cert.pem", papers / "text") == f"{papers}/text has no private key in PEM"
    assert mistake(papers / "cert.pem") == f"{papers}/cert.pem has no private key in PEM"
    with pytest.raises(UserError, match="cannot read certificates from"):
        client_context(str(papers / "text"))


def test_a_key_of_another_certificate(papers: Path) -> None:
    """Both files are named."""
    write(issue([], now=datetime.now(UTC), lasts=timedelta(hours=1)), papers / "other")

    words = mistake(papers / "cert.pem", papers / "other/key.pem")

    assert f"the key in {papers}/other/key.pem belongs to another certificate than {papers}/cert.pem" in words


def test_an_encrypted_key_asks_nobody(papers: Path) -> None:
    """OpenSSL would wait for a password on the terminal."""
    key = load_pem_private_key((papers / "key.pem").read_bytes(), None)
    locked = papers / "locked.pem"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))

    assert f"the key in {locked} is encrypted" in mistake(papers / "cert.pem", locked)


def test_other_errors_keep_their_reason() -> None:
    """Without OpenSSL's codes and file names."""
    error = ssl.SSLError(1, "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure (_ssl.c:992)")
    error.reason = "SSLV3_ALERT_HANDSHAKE_FAILURE"

    assert distrust(error) == "sslv3 alert handshake failure"
