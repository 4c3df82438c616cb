"""Timed events: values that faults see and emit."""

from __future__ import annotations

from chaosproxy.events import Frame, Framing, Head, Kind, Meaning, header


def test_a_header_is_found_by_its_name_in_any_case() -> None:
    """The first one of several."""
    headers = (("X-A", "1"), ("x-a", "2"))

    assert (header(headers, "x-a"), header(headers, "x-b")) == ("1", None)


def test_a_length_belongs_to_its_framing() -> None:
    """A content-length beside chunks means nothing."""
    fields = (("content-length", "5"),)

    assert Head(0.0, 200, "", fields, Framing.LENGTH).length == 5
    assert Head(0.0, 200, "", fields, Framing.CHUNKED).length is None
    assert Head(0.0, 200, "", (), Framing.LENGTH).length is None


def test_a_head_can_be_framed_anew() -> None:
    """Other fields stay, and the old length goes."""
    head = Head(0.0, 200, "OK", (("Content-Length", "5"), ("x-a", "1")), Framing.LENGTH)

    assert head.framed(Framing.CHUNKED) == Head(0.0, 200, "OK", (("x-a", "1"),), Framing.CHUNKED)
    assert head.framed(Framing.LENGTH, 7).length == 7


def test_a_frame_never_shows_its_bytes() -> None:
    """They may be somebody's secret, and representations end in logs."""
    frame = Frame(1.0, b"secret", Meaning(Kind.CONTENT, "x"))

    assert "secret" not in repr(frame)
    assert frame.kind is Kind.CONTENT
