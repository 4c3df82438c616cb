"""Every way to feed the same bytes: whole, byte by byte, in two pieces; and pieces that hypothesis chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hypothesis import strategies as st

from chaosproxy.wire import Splitter

MakeSplitter = Callable[[], Splitter]


def split(make: MakeSplitter, pieces: Iterable[bytes]) -> tuple[list[bytes], bytes]:
    """The frames and what flush leaves; checks ``pending`` after every piece."""
    splitter = make()
    frames: list[bytes] = []
    fed = 0
    for piece in pieces:
        frames += splitter.feed(piece)
        fed += len(piece)

        assert splitter.pending == fed - sum(map(len, frames))
    rest = splitter.flush()

    assert splitter.pending == 0
    return frames, rest


def feedings(data: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte (with empty pieces between), and at every place in two."""
    yield [data]
    yield [piece for offset in range(len(data)) for piece in (data[offset : offset + 1], b"")]
    yield from ([data[:offset], data[offset:]] for offset in range(len(data) + 1))


def pieces_of(chunks: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    """A stream that is made of ``chunks``, cut into random pieces."""

    @st.composite
    def cut(draw: st.DrawFn) -> list[bytes]:
        data = b"".join(draw(st.lists(chunks, max_size=12)))
        cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    return cut()
