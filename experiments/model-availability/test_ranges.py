"""E2: resumed downloads: 206 passes as it is; a server that ignores the range (200), or says that there is none (416).

    pytest experiments/model-availability/test_ranges.py
    CHECK=off pytest ...                                                 fails: a whole file is appended to half of one

DOWNLOADER is the command of your downloader, FILE_URL a file of yours; see downloads.py beside this file. A downloader
that never resumes fails here, too: the fault then meets no request.
"""

import sys
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from downloads import DOWNLOADERS, Source, assert_honest, download


def begin(downloader, source, file):
    """A download that has broken off for good: half of the file is there."""
    with source.fault("body.truncate", percent=50):
        code, out = download(downloader, source, file, TRIES="1")
    assert code != 0, f"half a file was taken for a whole one\n{out}"


@pytest.mark.parametrize(("asked", "first", "last"), [("0-99", 0, 99), ("70000-", 70_000, None), ("-100", -100, None)])
def test_a_part_passes_unaltered(chaos, asked, first, last):
    """206, Content-Range and exactly these bytes, with chaosproxy in between."""
    source = Source(chaos)
    request = urllib.request.Request(source.url, headers={"range": f"bytes={asked}"})  # noqa: S310 - http
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        body, status, place = response.read(), response.status, response.headers["content-range"]
    assert status == 206
    assert body == source.body[first : None if last is None else last + 1]
    assert place.endswith(f"/{len(source.body)}")


@pytest.mark.parametrize("downloader", DOWNLOADERS)
def test_a_download_is_resumed(chaos, tmp_path, downloader):
    """Only the missing bytes are asked for."""
    source, file = Source(chaos), tmp_path / "model.bin"
    begin(downloader, source, file)
    code, out = download(downloader, source, file)
    assert (code, source.is_right(file)) == (0, True), out
    assert source.asked[-1] == 206


@pytest.mark.parametrize("downloader", DOWNLOADERS)
@pytest.mark.parametrize("fault", ["body.ignore_range", "body.range_416"])
def test_a_range_that_is_not_served(chaos, tmp_path, downloader, fault):
    """It begins anew, or says that it failed; it never appends a whole file to half of one."""
    source, file = Source(chaos), tmp_path / "model.bin"
    begin(downloader, source, file)
    with source.fault(fault):
        assert_honest(download(downloader, source, file), source, file)
    code, out = download(downloader, source, file)
    assert code == 0, out
    assert source.is_right(file)
