"""Rules on one line."""

from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.errors import BadValue
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("stream.truncate", {"do": {"type": "stream.truncate"}}),
        (
            "stream.truncate where=token:5 share=20% match.stream=true streams=all",
            {
                "do": {"type": "stream.truncate", "where": "token:5"},
                "share": "20%",
                "match": {"stream": "true"},
                "streams": "all",
            },
        ),
        (
            "http.status message='not today' headers.x-a=b match.header.x-tenant=a* target=one,two id=down",
            {
                "do": {"type": "http.status", "message": "not today", "headers": {"x-a": "b"}},
                "match": {"header": {"x-tenant": "a*"}},
                "listeners": ("one", "two"),
                "id": "down",
            },
        ),
        ("conn.refuse flap.down=2s flap.up=3s", {"do": {"type": "conn.refuse"}, "flap": {"down": "2s", "up": "3s"}}),
        ("sse.drop each=7 match.each=2", {"do": {"type": "sse.drop", "each": "7"}, "match": {"each": "2"}}),
    ],
)
def test_a_line_becomes_a_rule(line: str, values: dict[str, Any]) -> None:
    """Settings of the fault and common keys in any order; values are read by the models."""
    assert parse_flat(line) == values
    Rule.model_validate({"id": "r", "listeners": ["a"], **values})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "expected a fault, such as 'stream.truncate where=token:5', got nothing"),
        ("stream.trunc", "unknown fault 'stream.trunc', did you mean 'stream.truncate'?"),
        ("stream.truncate 'where", '"stream.truncate \'where": no closing quotation'),
        ("stream.truncate where", "'where': expected key=value"),
        ("stream.truncate whre=token:5", "whre: unknown key, did you mean 'where'?"),
        ("stream.truncate match.strem=true", "match.strem: unknown key, did you mean 'match.stream'?"),
        ("stream.truncate match.header=x", "match.header=x: input should be a valid dictionary"),
        ("stream.truncate match=x", "match: unknown key, expected one of match.dialect, match.each,"),
        ("stream.truncate share=20", "share=20: expected a share with its percent sign, such as 20%, got '20'"),
        ("stream.truncate where=tokn:5", "where=tokn:5: expected event:N, token:N,"),
        (
            "stream.truncate framing=chunkd",
            "framing=chunkd: input should be 'chunked', 'close' or 'length', did you mean",
        ),
        ("stream.truncate where=byte:1 where=byte:2", "where=byte:2: where is given twice"),
        ("stream.truncate at=3s", "at: belongs to the timeline of an experiment file"),
        ("stream.truncate ramp=3s", "ramp: does not exist yet"),
        ("stream.truncate match.key_header=x-user", "match.key_share tells callers apart, and there is none"),
        ("conn.refuse share=20%", "conn.refuse acts on connections"),
        ("stream.truncate flap.up=2s", "flap.down: missing"),
        ("stream.truncate zzz=1", "zzz: unknown key, expected one of flap, framing, id,"),
        ("stream.truncate match.stream=yes", "match.stream=yes: expected true or false, got 'yes'"),
        ("stream.truncate id=1x", "id=1x: string should match pattern"),
    ],
)
def test_a_mistake_names_key_value_and_what_is_right(line: str, message: str) -> None:
    """As in a file."""
    with pytest.raises(BadValue) as caught:
        parse_flat(line)

    assert message in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    """Of the fault and of the rule."""
    with pytest.raises(BadValue) as caught:
        parse_flat("time.stall hold=3 wher=token:1 share=x streams=some")

    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "wher",
        "hold=3",
        "share=x",
        "streams=some",
    ]
