"""The types of official SDKs."""

from __future__ import annotations

import pytest

from chaosproxy.lab.verify import sdks
from chaosproxy.lab.verify.sdks import Declared, Sdk
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer

PLAIN = dialect("openai.chat").plain_body(Answer("1", "m", 1, ("Hi",), output_tokens=1))


@pytest.mark.real
def test_mistakes_are_told_with_their_place() -> None:
    """Wrong types, missing and undeclared members; nothing is coerced."""
    pytest.importorskip("openai")
    sdk = Sdk("openai.chat")

    assert list(sdk.plain_flaws(PLAIN)) == []
    assert list(sdk.plain_flaws(PLAIN.replace(b'"created":1', b'"created":"1"'))) == [
        "created: Input should be a valid integer"
    ]
    assert list(sdk.plain_flaws(PLAIN.replace(b'"id"', b'"i"'))) == ["id: Field required"]
    assert list(sdk.plain_flaws(PLAIN.replace(b'"role"', b'"mood":1,"role"'))) == [
        "choices[].message.mood: the SDK declares no such member"
    ]
    assert list(sdk.error_flaws(b'{"error":{"message":1,"type":"t","param":null,"code":null}}')) == [
        "message: Input should be a valid string"
    ]


@pytest.mark.parametrize("place", ["no_such_sdk.types:Answer", "json:Answer"], ids=["not installed", "too old"])
def test_an_sdk_that_is_not_there(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that does not declare what is needed."""
    monkeypatch.setitem(sdks._DECLARED, "openai.chat", Declared("pydantic", place, place))

    with pytest.raises(ImportError):
        Sdk("openai.chat")
