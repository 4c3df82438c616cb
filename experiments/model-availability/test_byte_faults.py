"""E1: downloads that break off, under a Content-Length that promises more, and downloads with wrong bytes.

    pytest experiments/model-availability/test_byte_faults.py
    CHECK=off pytest ...                                                   fails: wrong files are taken for right ones

DOWNLOADER is the command of your downloader, FILE_URL a file of yours; see downloads.py beside this file.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from downloads import DOWNLOADERS, Source, assert_honest, download

FAULTS = [
    ("body.truncate", {"bytes": 100_000}),
    ("body.truncate", {"percent": 50}),
    ("body.corrupt", {"offset": 0, "length": 1}),
    ("body.corrupt", {"offset": 70_000, "length": 3}),
]


@pytest.mark.parametrize("downloader", DOWNLOADERS)
@pytest.mark.parametrize(("fault", "settings"), FAULTS, ids=str)
def test_no_wrong_file_is_taken_for_right(chaos, tmp_path, downloader, fault, settings):
    """While every answer is broken, and afterwards, when the next start finds what the first one left."""
    source, file = Source(chaos), tmp_path / "model.bin"
    with source.fault(fault, **settings):
        assert_honest(download(downloader, source, file), source, file)
    code, out = download(downloader, source, file)
    assert code == 0, out
    assert source.is_right(file)


@pytest.mark.parametrize("downloader", DOWNLOADERS)
@pytest.mark.parametrize(("fault", "settings"), FAULTS[1::2], ids=str)
def test_one_broken_answer_is_repaired(chaos, tmp_path, downloader, fault, settings):
    """By the same start: it goes on where it broke off, or begins anew."""
    source, file = Source(chaos), tmp_path / "model.bin"
    with source.fault(fault, max_hits=1, **settings):
        code, out = download(downloader, source, file)
    assert code == 0, out
    assert source.is_right(file)
