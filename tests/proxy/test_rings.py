"""Listeners that would pass requests on to themselves."""

from __future__ import annotations

import pytest

from chaosproxy.errors import UserError
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.rings import refuse_rings


def listeners(*ways: tuple[str, str]) -> list[ListenerSpec]:
    """Named a, b, c: where each listens, and what stands behind it."""
    return [ListenerSpec(name, listen, upstream) for name, (listen, upstream) in zip("abc", ways, strict=False)]


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        ([("127.0.0.1:9001", "http://127.0.0.1:9001")], "'a' is its own upstream"),
        ([(":9001", "http://localhost:9001/v1")], "'a' is its own upstream"),
        ([("0.0.0.0:80", "http://127.0.0.1")], "'a' is its own upstream"),
        ([("[::1]:9001", "tcp://[::1]:9001")], "'a' is its own upstream"),
        (
            [(":9001", "http://127.0.0.1:9002"), (":9002", "http://127.0.0.1:9001")],
            "'a' is behind itself: a -> b -> a",
        ),
        (
            [(":9001", "http://127.0.0.1:9002"), (":9002", "http://127.0.0.1:9002")],
            "'b' is its own upstream",
        ),
    ],
)
def test_a_ring_is_refused(ways: list[tuple[str, str]], words: str) -> None:
    """However its address is written, and whoever stands before it."""
    with pytest.raises(UserError, match=words):
        refuse_rings(listeners(*ways))


@pytest.mark.parametrize(
    "ways",
    [
        [(":9001", "http://127.0.0.1:9002"), (":9002", "http://127.0.0.1:8000")],
        [(":9001", "http://10.0.0.5:9001")],
        [("127.0.0.1:0", "http://127.0.0.1:80")],
        [("127.0.0.2:9001", "http://127.0.0.1:9001")],
    ],
)
def test_what_ends_somewhere_else_is_fine(ways: list[tuple[str, str]]) -> None:
    """A listener before another one, and the same port elsewhere."""
    refuse_rings(listeners(*ways))
