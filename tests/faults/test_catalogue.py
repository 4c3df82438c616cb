"""The catalogue: names, settings and words that are the public interface."""

from __future__ import annotations

from keyword import iskeyword

import pytest
from pydantic import BaseModel

from chaosproxy.errors import BadValue
from chaosproxy.faults import CATALOGUE, AnyFault, build, describe, fault_class
from chaosproxy.faults.base import Fault, Room
from chaosproxy.faults.docs import catalogue, document, find_symptom
from chaosproxy.plan.flat import setting_names
from tests.laws.samples import SAMPLES

COMMON_KEYS = frozenset(
    {
        "id",
        "target",
        "at",
        "after",
        "delay",
        "lasts",
        "match",
        "share",
        "flap",
        "ramp",
        "streams",
        "min_hits",
        "max_hits",
    }
)
SETTINGS = {
    "http.status": "status error_type code message headers flavour",
    "http.rate_limit": "retry_after retry_after_ms limit_headers quota requests_per_minute tokens_per_minute",
    "conn.refuse": "stage",
    "conn.blackhole": "hold",
    "conn.lost_response": "mode",
    "time.first_token": "mean jitter dist profile",
    "time.inter_token": "mean jitter dist profile",
    "time.stall": "where hold",
    "stream.truncate": "where framing",
    "stream.fin": "where",
    "stream.reset": "where",
    "sse.drop": "where each offset never",
    "sse.malformed": "where mode",
    "llm.error_event": "where error_type",
    "llm.no_terminal": "which",
    "ws.close": "where code",
    "ws.delay": "mean jitter",
    "ws.drop": "each",
    "partition": "mode live_streams via",
    "toxic.latency": "direction toxicity latency jitter",
    "toxic.bandwidth": "direction toxicity rate",
    "toxic.slow_close": "direction toxicity delay",
    "toxic.timeout": "direction toxicity timeout",
    "toxic.reset_peer": "direction toxicity timeout",
    "toxic.slicer": "direction toxicity average_size size_variation delay",
    "toxic.limit_data": "direction toxicity bytes",
    "toxic.noop": "direction toxicity",
    "toxic.down": "direction toxicity",
    "http.retry_hint": "should_retry status",
    "http.html_page": "status flavour",
    "http.ok_error": "body",
    "http.plain_reply": "",
    "http.foreign_error": "dialect",
    "conn.reset": "stage",
    "conn.close": "stage",
    "conn.partial_head": "head_bytes",
    "conn.cap": "connections excess",
    "conn.slow_accept": "hold",
    "time.first_byte": "mean jitter dist profile",
    "time.keepalive_only": "where kind period",
    "time.buffer": "until",
    "time.bandwidth": "bytes_per_second chunk_bytes",
    "time.linger": "hold",
    "stream.cut_event": "where byte",
    "stream.chunk_size": "where text",
    "stream.length": "delta",
    "stream.encoding": "mode",
    "stream.unclean_end": "how",
    "stream.content_type": "value",
    "sse.duplicate": "where each offset never",
    "sse.reorder": "where each offset never distance",
    "sse.split": "where mode",
    "sse.merge": "where mode",
    "sse.comment": "text period",
    "sse.field": "event_id retry",
    "sse.empty": "named",
    "sse.comment_as_data": "text",
    "sse.utf8": "mode",
    "sse.line_end": "to",
    "sse.line_separator": "where char",
    "sse.event_name": "mode",
    "llm.foreign_error_event": "where shape",
    "llm.early_stop": "where finish",
    "llm.empty": "",
    "llm.choices": "where value",
    "llm.dialect_swap": "dialect",
    "llm.cross_stream": "events",
    "llm.tool_args_cut": "byte finish",
    "llm.finish_reason": "old new",
    "llm.refusal": "where kind",
    "llm.usage": "mode",
    "llm.repeat": "where times",
    "llm.model_swap": "new",
    "llm.wrong_answer": "text",
    "llm.schema": "rename drop nullify",
    "body.truncate": "bytes percent",
    "body.corrupt": "offset length",
    "body.ignore_range": "",
    "body.range_416": "",
}


class Holder(BaseModel):
    do: AnyFault


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.type)
def test_names_and_settings_are_fixed(fault: type[Fault]) -> None:
    """They stand in people's files."""
    assert set(setting_names(fault)) == set(SETTINGS[fault.type].split())


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.type)
def test_no_setting_shadows_a_common_key_or_is_a_keyword(fault: type[Fault]) -> None:
    """So a flat line and a Python call are never ambiguous.

    Toxics are called as in Toxiproxy; their delay has a place of its own, as a flat line has no timeline.
    """
    names = set(setting_names(fault)) - ({"delay"} if fault.room is Room.TOXIC else set())

    assert names & COMMON_KEYS == set()
    assert not any(iskeyword(name) for name in names)


@pytest.mark.parametrize("fault", SAMPLES, ids=lambda fault: fault.type)
def test_a_fault_survives_the_way_through_a_file(fault: Fault) -> None:
    """``build`` undoes ``describe``, also as a field and through JSON."""
    held = Holder(do=fault)

    assert build(describe(fault)) == fault
    assert Holder.model_validate_json(held.model_dump_json()) == held


def test_a_fault_is_described_with_units_and_without_defaults() -> None:
    """As a person would write it."""
    fault = build({"type": "time.stall", "where": "byte:100", "hold": 0.25})

    assert describe(fault) == {"type": "time.stall", "where": "byte:100", "hold": "250ms"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"type": "stream.trunc"}, "unknown fault 'stream.trunc', did you mean 'stream.truncate'?"),
        ({"type": "xyz"}, "unknown fault 'xyz' (`chaosproxy faults` lists them)"),
        ({"where": "token:5"}, "a fault needs its type"),
    ],
)
def test_an_unknown_fault_is_refused_with_a_hint(value: dict[str, str], message: str) -> None:
    """The nearest name, or where to find all."""
    with pytest.raises(BadValue) as caught:
        build(value)

    assert message in str(caught.value)


def test_what_is_no_description_is_left_to_the_model() -> None:
    """It knows where the value stands in the file."""
    assert build("stream.truncate") == "stream.truncate"
    assert build(fault := fault_class("stream.fin")()) is fault


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.type)
def test_every_fault_speaks_for_itself(fault: type[Fault]) -> None:
    """One sentence, a symptom, a timeline with an edge per line, and a sentence for each setting."""
    doc = document(fault)

    assert doc.summary.endswith(".")
    assert not doc.symptom.endswith(".")
    assert all(line.split()[0] in {"client", "upstream", "listener"} for line in doc.timeline.splitlines())
    assert [setting.name for setting in doc.settings] == list(setting_names(fault))
    assert all(setting.doc and setting.type for setting in doc.settings)


def test_docs_come_from_the_models() -> None:
    """Types and defaults in the words of the file."""
    told = {
        (doc.name, setting.name): (setting.type, setting.default) for doc in catalogue() for setting in doc.settings
    }

    assert told["time.stall", "hold"] == ("such as 30s or forever", "forever")
    assert told["conn.refuse", "stage"] == ("accept | after_request", "accept")
    assert told["sse.drop", "never"] == ("list of terminal | usage | finish", "terminal,usage,finish")
    assert told["sse.drop", "each"] == ("whole number >= 1", "")
    assert told["http.rate_limit", "limit_headers"] == ("true | false", "true")
    assert told["http.status", "headers"] == ("mapping", "")
    assert told["http.rate_limit", "tokens_per_minute"] == ("number > 0", "")
    assert told["http.status", "status"] == ("whole number >= 400 <= 599", "")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("stops in the middle", {"stream.truncate", "stream.fin", "stream.reset", "time.stall"}),
        ("it hangs", {"conn.blackhole", "time.stall", "partition"}),
        ("connection reset by peer", {"stream.reset"}),
        ("words are missing", {"sse.drop"}),
        ("rate limited: 429", {"http.rate_limit"}),
        ("billed twice", {"conn.lost_response"}),
        ("very slow tokens", {"time.inter_token"}),
        ("JSON decode error", {"sse.malformed"}),
    ],
)
def test_a_symptom_finds_its_faults(text: str, names: set[str]) -> None:
    """Among the first dozen, in the words that people use."""
    assert names <= {doc.name for doc in find_symptom(text)[:12]}


def test_a_symptom_that_nothing_causes_finds_nothing() -> None:
    """Rather than the whole catalogue."""
    assert find_symptom("the and of") == []
    assert find_symptom("zebra") == []
