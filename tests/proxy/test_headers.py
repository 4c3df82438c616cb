"""Which header fields go on."""

from __future__ import annotations

from chaosproxy.proxy.headers import end_to_end, to_upstream


def test_connection_names_what_ends_here_but_never_the_length() -> None:
    """A peer that names Content-Length would make a body look like the next message (RFC 9110, 7.6.1)."""
    headers = (("Connection", "X-Hop, Content-Length"), ("X-Hop", "1"), ("Content-Length", "5"), ("X-End", "2"))

    assert end_to_end(headers) == to_upstream(headers, identity=False) == (("Content-Length", "5"), ("X-End", "2"))


def test_a_fault_that_edits_frames_has_no_websocket_compressed() -> None:
    """The extension is not offered; without such a fault it is left alone."""
    upgrade = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
    offered = (*upgrade, ("Sec-WebSocket-Extensions", "permessage-deflate"))

    assert to_upstream(offered, identity=True) == to_upstream(upgrade, identity=True)
    assert ("Sec-WebSocket-Extensions", "permessage-deflate") in to_upstream(offered, identity=False)
