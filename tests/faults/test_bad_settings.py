"""Wrong settings: the exact sentence for each kind of mistake."""

from __future__ import annotations

import pytest

from chaosproxy.errors import BadValue
from chaosproxy.plan.flat import parse_flat

GOLDEN = {
    "sse.drop each=0": "each=0: input should be greater than or equal to 1",
    "sse.duplicate where=token:2 each=3": "where=token:2 and each=3 exclude each other",
    "sse.reorder offset=2": "offset=2 belongs to each, which is not given",
    "sse.line_end to=cl": "to=cl: input should be 'lf', 'cr', 'crlf' or 'split', did you mean 'crlf'?",
    "stream.chunk_size text=": "text=: string should have at least 1 character",
    "stream.cut_event where=tokn:3": (
        "where=tokn:3: expected event:N, token:N, byte:N, percent:P, first_event, before_terminal or after_terminal, "
        "got 'tokn:3'"
    ),
    "stream.cut_event where=byte:0": "where=byte:0 lies before the first event, and inside of none",
    "stream.cut_event where=byte:9 byte=3": (
        "byte=3 counts in an event, and where=byte:9 in the whole body: give one of them"
    ),
    "stream.length delta=half": "delta=half: input should be a valid integer, unable to parse string as an integer",
    "time.bandwidth bytes_per_second=0": "bytes_per_second=0: input should be greater than 0",
    "time.buffer until=5": "until=5: expected bytes:N, events:N or end, got '5'",
    "time.first_byte mean=250": "mean=250: expected a time with its unit, such as 250ms, 2s or 3m, got '250'",
    "time.keepalive_only period=0s": "period=0s: input should be greater than or equal to 0.001",
    "time.linger hold=10%": "hold=10%: expected a time with its unit, such as 250ms, 2s or 3m, got '10%'",
    "llm.usage mode=x": "mode=x: expected missing, zero, negative or factor:N, got 'x'",
    "llm.repeat times=0": "times=0: input should be greater than or equal to 1",
    "llm.schema drop=a[0]": "drop.0=a[0]: expected a path such as choices[*].delta.content, got 'a[0]'",
    "llm.dialect_swap dialect=gemni": "dialect=gemni: unknown dialect 'gemni', did you mean 'gemini'?",
    "llm.tool_args_cut where=token:3": "where: unknown key, did you mean 'share'?",
    "http.html_page status=99": "status=99: input should be greater than or equal to 200",
    "http.retry_hint should_retry=yes": "should_retry=yes: expected true or false, got 'yes'",
    "body.truncate bytes=3 percent=5": "bytes=3 and percent=5 exclude each other",
    "body.truncate percent=150": "percent=150: input should be less than or equal to 100",
    "conn.partial_head head_bytes=0": "head_bytes=0: input should be greater than or equal to 1",
    "sse.drop each=2 share=120%": "share=120%: a share is at most 100%, got '120%'",
    "time.bandwith": "unknown fault 'time.bandwith', did you mean 'time.bandwidth'?",
}


@pytest.mark.parametrize(("line", "words"), GOLDEN.items())
def test_a_wrong_setting_is_told_in_these_words(line: str, words: str) -> None:
    """Key, value, what is allowed, and what was meant."""
    with pytest.raises(BadValue) as told:
        parse_flat(line)

    assert str(told.value) == words
