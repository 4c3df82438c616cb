"""Fingerprints tell cut, changed and whole texts apart without keeping them."""

from __future__ import annotations

from hashlib import blake2b
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.journal.fingerprint import Fingerprint, fingerprint
from chaosproxy.journal.fingerprinter import BLOCK, PREFIXES_MAX, Fingerprinter


@given(st.lists(st.text()))
def test_pieces_do_not_matter(pieces: list[str]) -> None:
    """However a text arrives, its fingerprint is the same."""
    maker = Fingerprinter()
    for piece in pieces:
        maker.feed(piece)

    assert Fingerprint(**maker.values()) == fingerprint("".join(pieces))


@given(st.text(), st.text())
def test_beginning_begins(begin: str, rest: str) -> None:
    """A text begins every text that continues it."""
    assert fingerprint(begin).begins(fingerprint(begin + rest))


@given(st.text(min_size=2 * BLOCK), st.integers(min_value=0, max_value=BLOCK - 1))
def test_change_before_the_last_block_is_seen(text: str, place: int) -> None:
    """A character lost in a complete block makes it another text, not a beginning."""
    changed = text[:place] + chr(ord(text[place]) ^ 1 if ord(text[place]) < 0xD000 else 65) + text[place + 1 :]

    assert not fingerprint(changed).begins(fingerprint(text))
    assert fingerprint(changed).common_chars(fingerprint(text)) == 0


def test_common_beginning_is_known_by_blocks() -> None:
    """The common part is told in whole blocks, exactly when the texts are equal."""
    text = "x" * (3 * BLOCK + 5)

    assert fingerprint(text).common_chars(fingerprint(text)) == len(text)
    assert fingerprint(text).common_chars(fingerprint(text[: 2 * BLOCK] + "y" * 40)) == 2 * BLOCK
    assert fingerprint(text).common_chars(fingerprint("")) == 0


@given(st.text())
def test_hashes_are_of_prefixes_and_of_the_whole(text: str) -> None:
    """Blocks count characters, not bytes, so that texts in any script are compared alike."""
    made = fingerprint(text)
    ends = range(BLOCK, len(text) + 1, BLOCK)

    assert made.chars == len(text)
    assert made.prefixes == "".join(f"{crc32(text[:end].encode()):08x}" for end in ends)
    assert made.whole == (blake2b(text.encode(), digest_size=8).hexdigest() if text else "")


def test_a_copy_goes_its_own_way() -> None:
    """The two edges of an exchange may part in mid-block."""
    one = Fingerprinter()
    one.feed("x" * (BLOCK + 3))
    other = one.copy()
    one.feed("y" * BLOCK)
    other.feed("z" * BLOCK)

    assert Fingerprint(**one.values()) == fingerprint("x" * (BLOCK + 3) + "y" * BLOCK)
    assert Fingerprint(**other.values()) == fingerprint("x" * (BLOCK + 3) + "z" * BLOCK)


def test_a_very_long_text_takes_no_more_room() -> None:
    """Beyond a million characters only length and whole tell texts apart; a beginning is still a beginning."""
    longest = "0123456789abcdef" * PREFIXES_MAX
    whole = fingerprint(longest + "the rest of it, two blocks long.")
    other = fingerprint(longest + "THE REST OF IT, TWO BLOCKS LONG.")

    assert whole.prefixes == fingerprint(longest).prefixes
    assert fingerprint(longest).begins(whole)
    assert (whole.chars, whole.prefixes) == (other.chars, other.prefixes)
    assert whole != other
    assert not fingerprint("x" + longest).begins(whole)
