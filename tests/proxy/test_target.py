"""Where a request goes at its upstream."""

from __future__ import annotations

import pytest

from chaosproxy.errors import UserError
from chaosproxy.proxy.target import Target


@pytest.mark.parametrize(
    ("upstream", "request_target", "url"),
    [
        ("https://api.example", "/v1/chat?x=%2F", "https://api.example/v1/chat?x=%2F"),
        ("https://api.example/", "/", "https://api.example/"),
        ("https://api.example/v1", "/v1/chat", "https://api.example/v1/chat"),
        ("https://api.example/v1/", "/chat", "https://api.example/v1/chat"),
        ("https://api.example/v1", "/v1", "https://api.example/v1"),
        ("https://api.example/v1", "/v11/chat", "https://api.example/v1/v11/chat"),
        ("http://h:8000/a/b", "/c%20d", "http://h:8000/a/b/c%20d"),
        ("http://h", "http://other/x?y=1", "http://h/x?y=1"),
    ],
)
def test_a_base_path_is_joined_once(upstream: str, request_target: str, url: str) -> None:
    """It goes before the path unless it is there already; other bytes stay as they are."""
    assert str(Target(upstream).url(request_target)) == url


@pytest.mark.parametrize(
    "url", ["api.example", "ftp://h", "http://", "http://user:pass@h", "http://h/?a=1", "http://h/#x"]
)
def test_what_is_no_upstream(url: str) -> None:
    """The message says so and never shows a password."""
    with pytest.raises(UserError) as caught:
        Target(url)

    assert "pass@" not in str(caught.value)


def test_a_404_behind_a_base_path_is_explained() -> None:
    """The words name the path that was asked for; without a base path there is nothing to say."""
    words = Target("http://h/v1").words_for_404("/models?x=1")

    assert words is not None
    assert "went to /v1/models;" in words
    assert Target("http://h").words_for_404("/models") is None
