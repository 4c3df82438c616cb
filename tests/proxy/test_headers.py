"""Which header fields go on."""

from __future__ import annotations

from chaosproxy.proxy.headers import end_to_end, to_upstream


def test_connection_names_what_ends_here_but_never_the_length() -> None:
    """A peer that names Content-Length would make a body look like the next message (RFC 9110, 7.6.1)."""
    headers = (("Connection", "X-Hop, Content-Length"), ("X-Hop", "1"), ("Content-Length", "5"), ("X-End", "2"))

    assert end_to_end(headers) == to_upstream(headers, identity=False) == (("Content-Length", "5"), ("X-End", "2"))
