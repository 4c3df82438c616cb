"""Reading journals back: what a killed writer leaves is tolerated, other damage is told by its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.errors import JournalBroken
from chaosproxy.journal.reading import Journal, merge, read_journal, read_piece
from chaosproxy.journal.records import VERSION, Ended, Mark, Opened, Trouble, to_line

OPENED = Opened(process="proxy", host="h", pid=1, mono=5.0, wall=9.0, chaosproxy="0.1")
ORIGIN = Mark(name="origin", at=7.0)
ENDED = Ended(at=9.0, how="completed")
LINES = [to_line(record).decode() for record in (OPENED, ORIGIN, ENDED)]


def test_records_come_back_as_they_were_written() -> None:
    """What was written is what is read, blank lines aside."""
    assert read_journal([LINES[0], "\n", *LINES[1:]]) == Journal((OPENED, ORIGIN, ENDED))


@given(st.integers(min_value=1, max_value=len(LINES[-1]) - 3))
def test_torn_last_line_is_tolerated_and_noted(length: int) -> None:
    """Wherever a writer was killed in its last line, the rest can be read."""
    assert read_journal([*LINES[:-1], LINES[-1][:length]]) == Journal((OPENED, ORIGIN), torn=True)


def test_last_line_without_its_newline_is_whole() -> None:
    """An editor that strips the last newline has not torn anything."""
    assert read_journal([*LINES[:-1], LINES[-1].rstrip()]) == Journal((OPENED, ORIGIN, ENDED))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "empty"),
        (["\n", "  \n"], "empty"),
        (["experiment: v1\n", "name: x\n"], "line 1: not a journal"),
        (['{"type": "mark", "name": "origin", "at": 1}\n'], "line 1: not a journal"),
        (["[]\n"], "line 1: not a journal"),
        ([LINES[0], LINES[1][:9], LINES[2]], "line 2: not a record"),
        ([LINES[0], '{"type":"mark","name":"origin"}\n', LINES[2]], "line 2: not a record: mark.at: Field required"),
        ([LINES[0], '{"type":"mark","name":"origin"}\n'], "line 2: not a record"),
        ([LINES[0], '{"type":"merk"}\n', LINES[2]], "line 2: not a record"),
        (
            [LINES[0].replace('"type"', '"version":4,"extra":1,"type"')],
            "line 1: journal version 4, this chaosproxy reads versions 1 to 3",
        ),
    ],
)
def test_other_damage_is_an_error_with_its_line(lines: list[str], words: str) -> None:
    """What is no journal, is newer, or is broken before its end is refused, in words and with the line."""
    with pytest.raises(JournalBroken, match=words):
        read_journal(lines)


@pytest.mark.parametrize(
    ("lines", "read"),
    [
        (LINES[1:], Journal((ORIGIN, ENDED))),
        (LINES, Journal((OPENED, ORIGIN, ENDED))),
        ([], Journal(())),
        ([LINES[1][:9]], Journal((), torn=True)),
    ],
)
def test_a_piece_begins_anywhere(lines: list[str], read: Journal) -> None:
    """Another piece of its run has the opening record; it may have been killed before its first line was whole."""
    assert read_piece(lines) == read


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["experiment: v1\n", LINES[1]], "line 1: not a record"),
        ([LINES[1], '{"type":"merk"}\n'], "line 2: not a record"),
        ([LINES[0].replace('"type"', '"version":4,"type"')], "line 1: journal version 4"),
    ],
)
def test_a_damaged_piece_is_an_error_with_its_line(lines: list[str], words: str) -> None:
    """It is read as strictly as a journal from there on."""
    with pytest.raises(JournalBroken, match=words):
        read_piece(lines)


def test_merged_journals_are_in_the_order_of_time() -> None:
    """Openings first, then by time; equal times keep the order of the files; one torn part tears the whole."""
    first = Journal((OPENED, ORIGIN, ENDED))
    second = Journal(
        (OPENED.model_copy(update={"mono": 1.0}), Mark(name="b", at=7.0), Mark(name="c", at=6.0)), torn=True
    )

    merged = merge([first, second])

    assert [getattr(record, "name", record.type) for record in merged.records] == [
        "opened",
        "opened",
        "c",
        "origin",
        "b",
        "ended",
    ]
    assert merged.torn
    assert merged.records[0] == second.records[0]


def test_line_ends_inside_a_record_are_not_line_ends() -> None:
    """A message with a line separator of any kind stays in one line, and so does half a character of a torn one."""
    trouble = Trouble(at=8.0, part="proxy", detail="one\u2028two\x85three\n\u65e5\U0001f389")

    line = to_line(trouble).decode()

    assert line.isascii()
    assert read_journal((LINES[0] + line).splitlines()) == Journal((OPENED, trouble))


def test_an_older_version_is_read() -> None:
    """Version 2 only added the runs of probes; a line without a version is of the first."""
    new = to_line(OPENED.model_copy(update={"version": VERSION})).decode()

    assert f'"version":{VERSION}' in new
    for opening in (LINES[0], LINES[0].replace('"type"', '"version":1,"type"'), new):
        assert [record.type for record in read_journal([opening, *LINES[1:]]).records] == ["opened", "mark", "ended"]
