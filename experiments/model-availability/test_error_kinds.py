"""E15: the kinds of failure of a model server: unavailable, silent, out of memory, reset, forbidden.

    pytest experiments/model-availability/test_error_kinds.py
    CHECK=off pytest ...                                                    fails: an error page is kept as the model

DOWNLOADER is the command of your downloader, FILE_URL a file of yours; see downloads.py beside this file. STALL_S is
set to 1: a downloader with another switch for its longest silence wants it in its command.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from downloads import DOWNLOADERS, Source, assert_honest, download

PASSING = {
    "service_unavailable": ("http.status", {"status": 503}),
    "timeout": ("conn.blackhole", {}),
    "memory": ("http.status", {"status": 507}),
    "out_of_memory": ("http.status", {"flavour": "vllm_oom"}),
    "network": ("conn.reset", {"stage": "after_request"}),
    "network_midway": ("stream.reset", {"where": "byte:100000"}),
}


@pytest.mark.parametrize("downloader", DOWNLOADERS)
@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_tried_again(chaos, tmp_path, downloader, kind):
    """One answer fails; the same start gets the file."""
    source, file = Source(chaos), tmp_path / "model.bin"
    fault, settings = PASSING[kind]
    with source.fault(fault, max_hits=1, **settings):
        code, out = download(downloader, source, file, STALL_S="1")
    assert (code, source.is_right(file)) == (0, True), out


@pytest.mark.parametrize("downloader", DOWNLOADERS)
@pytest.mark.parametrize("kind", ["service_unavailable", "out_of_memory", "network"])
def test_what_lasts_is_said(chaos, tmp_path, downloader, kind):
    """Every answer fails: it gives up within its tries, and keeps no error page as the model."""
    source, file = Source(chaos), tmp_path / "model.bin"
    fault, settings = PASSING[kind]
    with source.fault(fault, **settings):
        code, out = download(downloader, source, file, STALL_S="1")
    assert code != 0, out
    assert not file.exists()


@pytest.mark.parametrize("downloader", DOWNLOADERS)
def test_permission_is_not_tried_again(chaos, tmp_path, downloader):
    """403 is an answer: asked once, and said."""
    source, file = Source(chaos), tmp_path / "model.bin"
    with source.fault("http.status", status=403):
        ended = download(downloader, source, file)
    assert_honest(ended, source, file)
    assert ended[0] != 0, ended[1]
    assert "403" in ended[1]
    assert source.asked == [403]
