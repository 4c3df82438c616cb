"""Certificates: what our listeners show, whom our upstreams must be, and what is said when either is not believed."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from chaosproxy.errors import UserError

HTTP_1_1 = ("http/1.1",)
"""What is offered to peers that would speak HTTP/2 as well (ALPN)."""

_NO_RENEGOTIATION = getattr(ssl, "OP_NO_RENEGOTIATION", 0)

_REASONS = {
    "KEY_VALUES_MISMATCH": "the key in {key} belongs to another certificate than {cert}",
    "EE_KEY_TOO_SMALL": "the key of {cert} is too short for this machine's OpenSSL",
    "CA_MD_TOO_WEAK": "{cert} is signed in a way that this machine's OpenSSL does not accept",
}
_HINTS = {
    10: "has it been renewed?",  # X509_V_ERR_CERT_HAS_EXPIRED
    18: "trust it with --ca FILE",  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    19: "trust its authority with --ca FILE",  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    20: "trust its authority with --ca FILE",  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Two PEM files: a certificate with what belongs between it and its authority, and its private key.

    ``key`` is None where it stands in the same file.
    """

    cert: str
    key: str | None = None


def server_context(pair: KeyPair, alpn: Sequence[str] = HTTP_1_1) -> ssl.SSLContext:
    """For listeners: TLS 1.2 or newer. Raises UserError for files that cannot be used; it never asks for a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= _NO_RENEGOTIATION
    if alpn:
        context.set_alpn_protocols(list(alpn))
    _check(pair.cert, b"-----BEGIN CERTIFICATE-----", "certificate")
    _check(pair.key or pair.cert, b" KEY-----", "private key")

    def no_password() -> str:
        raise UserError(f"the key in {pair.key or pair.cert} is encrypted; give one that is not (openssl pkey -in ...)")

    try:
        context.load_cert_chain(pair.cert, pair.key, no_password)
    except OSError as error:  # ssl.SSLError included
        cert, key = pair.cert, pair.key or pair.cert
        words = _REASONS.get(getattr(error, "reason", None) or "", "")
        words = words.format(cert=cert, key=key) if words else f"{cert} and {key}: {_reason(error)}"
        raise UserError(f"cannot use the certificate: {words}") from None
    return context


def client_context(ca: str | None, alpn: Sequence[str] = HTTP_1_1) -> ssl.SSLContext:
    """For upstreams: their names are checked, and their chain by the system's authorities and those of ``ca``.

    Without ``alpn`` no protocol is offered, as suits bytes that are not HTTP. Raises UserError when the file cannot be
    used.
    """
    context = ssl.create_default_context()
    if alpn:
        context.set_alpn_protocols(list(alpn))
    try:
        if ca is not None:
            context.load_verify_locations(ca)
    except OSError as error:  # ssl.SSLError included
        raise UserError(f"cannot read certificates from {ca}: {error.strerror or error}") from error
    return context


def distrust(error: ssl.SSLError) -> str:
    """Why a server's certificate, or its TLS, was refused, and what to do."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        if error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"):
            return f"it does not speak TLS on this port; is it http:// ({_reason(error)})?"
        return _reason(error)
    hint = _HINTS.get(error.verify_code)
    words = f"its certificate is not accepted: {error.verify_message.rstrip('.')}"
    return f"{words}; {hint}" if hint else words


def _check(path: str, mark: bytes, what: str) -> None:
    """OpenSSL's own words do not say which of two files is wrong."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - the name comes as text and goes on as text
            if mark not in file.read():
                raise UserError(f"{path} has no {what} in PEM")
    except OSError as error:
        raise UserError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return reason.lower().replace("_", " ") if reason else str(error.strerror or error)


class Trust:
    """The certificates that upstreams are verified with: the system's, and those of ``ca``, a PEM file.

    Raises UserError when that file cannot be used.
    """

    def __init__(self, ca: str | None) -> None:
        self._ca = ca
        self._context: ssl.SSLContext | None = None
        if ca is not None:
            _ = self.context  # what is wrong with the file is said at the start

    @property
    def context(self) -> ssl.SSLContext:
        """Made when it is first needed: the system's certificates take time and memory."""
        if self._context is None:
            self._context = client_context(self._ca)
        return self._context

    @property
    def for_bytes(self) -> ssl.SSLContext:
        """The same for an upstream that does not speak HTTP."""
        return client_context(self._ca, alpn=())
