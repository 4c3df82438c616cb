"""A certificate authority for one occasion: it signs one certificate, and its key is forgotten at once.

So nobody can sign anything else with it, not even who finds the files: trusting it trusts this one certificate.
To import this raises UserError where the library is missing.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from chaosproxy.errors import UserError

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID
except ImportError:
    raise UserError(
        "to make certificates, install the library cryptography: pip install 'chaosproxy[tls]' "
        "(certificates of your own need no library)"
    ) from None

ALWAYS = ("localhost", "127.0.0.1", "::1")
"""Every certificate is for these, too: listeners are on loopback unless told otherwise."""
EARLIER = timedelta(hours=1)
"""A certificate begins so long before it is made: clocks differ."""
CA, CERT, KEY = "ca.pem", "cert.pem", "key.pem"
"""What clients trust, what a listener shows, and the private key of that."""

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class Papers:
    """Three PEM texts: the authority, a certificate that it signed, and the private key of the certificate."""

    ca: bytes
    cert: bytes
    key: bytes = field(repr=False)
    hosts: tuple[str, ...]
    until: datetime


def checked_hosts(names: Iterable[str]) -> tuple[str, ...]:
    """Host names and addresses as a certificate has them, those of loopback last, each once. Raises UserError."""
    return tuple(dict.fromkeys([_checked(name) for name in (*names, *ALWAYS)]))


def issue(names: Iterable[str], *, now: datetime, lasts: timedelta) -> Papers:
    """A new authority and a certificate for these hosts and loopback; ``now`` is aware.

    Raises UserError for a name that is none.
    """
    hosts = checked_hosts(names)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    since, until = now - EARLIER, now + lasts
    ca = _authority(ca_key, since, until)
    cert = _certificate(hosts, key, ca, ca_key, since, until)
    pem = serialization.Encoding.PEM
    return Papers(
        ca=ca.public_bytes(pem),
        cert=cert.public_bytes(pem),
        key=key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        hosts=hosts,
        until=until,
    )


def write(papers: Papers, folder: Path, *, force: bool = False) -> None:
    """Write the three files; the key is for our eyes only. Raises UserError, before it has written any."""
    there = [name for name in (CA, CERT, KEY) if (folder / name).exists()]
    if there and not force:
        raise UserError(f"{folder} has {', '.join(there)} already; choose another --dir, or overwrite with --force")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text, mode in ((KEY, papers.key, 0o600), (CERT, papers.cert, 0o644), (CA, papers.ca, 0o644)):
            _replace(folder / name, text, mode)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {(error.strerror or str(error)).lower()}") from None


def _checked(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass
    try:
        ascii_name = name.lower() if name.isascii() else name.encode("idna").decode().lower()
    except UnicodeError:
        ascii_name = ""
    if len(ascii_name) > 253 or not _HOST.fullmatch(ascii_name):
        hint = "; without scheme, port or path" if re.search(r"[:/]", name) else ""
        raise UserError(f"expected a host name such as api.openai.com, or an IP address, got {name!r}{hint}")
    return ascii_name


def _authority(key: ec.EllipticCurvePrivateKey, since: datetime, until: datetime) -> x509.Certificate:
    name = _named(f"chaosproxy throw-away authority {secrets.token_hex(4)}")
    return (
        _begun(name, name, key.public_key(), since, until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    hosts: tuple[str, ...],
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    since: datetime,
    until: datetime,
) -> x509.Certificate:
    signer = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _begun(_named("chaosproxy"), ca.subject, key.public_key(), since, until)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _replace(path: Path, text: bytes, mode: int) -> None:
    """At once and with its mode from the first byte on, also where a file with another mode was."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
