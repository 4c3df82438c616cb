"""The rules of a part as a process."""

from __future__ import annotations

import pytest

from chaosproxy.errors import UserError
from chaosproxy.lab.part import parse_listen, url_of


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9001", ("127.0.0.1", 9001)),
        (":0", ("127.0.0.1", 0)),
        ("[::1]:80", ("::1", 80)),
        ("lab:1", ("lab", 1)),
    ],
)
def test_address_is_read(text: str, address: tuple[str, int]) -> None:
    """Without a host it is loopback."""
    assert parse_listen(text) == address


@pytest.mark.parametrize("text", ["9001", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "h:-1", ""])
def test_no_address_is_refused(text: str) -> None:
    """A port is needed, and it has bounds."""
    with pytest.raises(UserError, match="address"):
        parse_listen(text)


def test_url_names_host_and_port() -> None:
    """IPv6 addresses stand in brackets."""
    assert (url_of("127.0.0.1", 1), url_of("::1", 2)) == ("http://127.0.0.1:1", "http://[::1]:2")
