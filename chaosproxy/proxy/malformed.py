"""Requests that are refused: in which words, and those that aiohttp's parser lets through but two readers may read in
two ways.

The words never repeat what came: a line that is too long may be a key, and a URL may hold a password.
"""

from __future__ import annotations

import re

from aiohttp.http_exceptions import (
    BadHttpMethod,
    BadStatusLine,
    HttpProcessingError,
    InvalidHeader,
    InvalidURLError,
    LineTooLong,
    TransferEncodingError,
)
from aiohttp.http_writer import HttpVersion10, HttpVersion11

from chaosproxy.proxy.arriving import Message
from chaosproxy.proxy.limits import Limits

BAD_REQUEST = "bad_request"
HTTP_VERSION = "http_version"
"""Kinds of our own answers."""
_TOO_MANY = "Too many headers received"
_TLS_ON_PLAIN = "Received HTTPS traffic"
_ABSOLUTE = re.compile(r"https?://[^/?#]", re.IGNORECASE)


def words_of(error: HttpProcessingError, limits: Limits) -> str:
    """Why the parser gave up, in one sentence that quotes nothing of the request."""
    if isinstance(error, LineTooLong):
        return f"the request line or a header field is longer than {limits.header_bytes} bytes (header_bytes)"
    if isinstance(error, InvalidURLError):
        return "the request target is neither a path nor a URL"
    if isinstance(error, InvalidHeader):
        return "a header field is malformed"
    if isinstance(error, TransferEncodingError):
        return "the chunked encoding is malformed"
    if isinstance(error, BadStatusLine):
        if isinstance(error, BadHttpMethod) and error.message.startswith(_TLS_ON_PLAIN):
            return "this port speaks plain HTTP, and what came is TLS: use http://"
        return "the request line is malformed"
    words = error.message.strip().partition("\n")[0].rstrip(":")
    if words == _TOO_MANY:
        return f"there are more than {limits.header_fields} header fields (header_fields)"
    return words or "the request could not be handled"


def refusal(message: Message) -> tuple[int, str, str] | None:
    """Status, kind and words for a request that the upstream could understand in another way than we do.

    The parser takes a transfer coding before ``chunked`` without decoding it, an empty one as none, and any version.
    """
    if message.version not in (HttpVersion10, HttpVersion11):
        return 505, HTTP_VERSION, "this proxy speaks HTTP/1.1 and HTTP/1.0"
    coding = message.headers.get("Transfer-Encoding")
    if coding is not None and coding.strip().lower() != "chunked":
        return 400, BAD_REQUEST, "the only transfer coding of a request is chunked"
    if coding is not None and message.version < HttpVersion11:
        return 400, BAD_REQUEST, "a request of HTTP/1.0 has no transfer coding"
    if message.method == "CONNECT":
        return 501, "connect_method", "this proxy stands in front of one upstream; it opens no tunnels"
    target = message.path
    if "#" in target:
        return 400, BAD_REQUEST, "a request target has no fragment (#)"
    if not target.startswith("/") and target != "*" and _ABSOLUTE.match(target) is None:
        return 400, BAD_REQUEST, "a request target that is a URL is one of http or https"
    return None
