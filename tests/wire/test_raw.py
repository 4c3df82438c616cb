"""A body without frames."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.wire.raw import RawSplitter
from tests.wire.splitting import split


@given(st.lists(st.binary()))
def test_every_piece_passes_at_once(pieces: list[bytes]) -> None:
    """Each piece that is not empty is a frame, and nothing is ever kept."""
    assert split(RawSplitter, pieces) == ([piece for piece in pieces if piece], b"")
