"""Bulk records are read without their models, and nothing is different but the time that it takes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chaosproxy.errors import JournalBroken
from chaosproxy.journal.fingerprint import Fingerprint, fingerprint
from chaosproxy.journal.reading import RecordStream
from chaosproxy.journal.records import AnyRecord, Mark, to_line
from chaosproxy.journal.traffic import Call, CallError, Edge, ExchangeRecord, FaultHit, FaultMiss, Sent
from chaosproxy.report.facts.quick import quick_reader
from tests.steady_state.drills import Drill

_TEXT = fingerprint("The quick brown fox jumps over the lazy dog.")
_FACTS: dict[str, Any] = {"load": "chat", "number": 1, "api": "openai.chat", "stream": True, "model": "m"}
_RECORDS: list[AnyRecord] = [
    Sent(id="c", intended_at=1, sent_at=1.5, **_FACTS),
    Call(id="c", intended_at=1, **_FACTS),
    Call(
        id="c", intended_at=1, end_at=2, status=500, error=CallError(kind="http"), gaps_ms=[1, 2], text=_TEXT,
        expected=_TEXT, dropped=True, foreign="d", **_FACTS,
    ),
    ExchangeRecord(
        id="e", listener="l", ordinal=1, call=None, attempt=1, method="POST", path="/", dialect="raw", model=None,
        stream=None, began_at=1, sent=Edge(status=200, ended="fin", text=_TEXT), attached=["f"],
        misses=[FaultMiss(fault="f", reason="share")],
    ),
    FaultHit(fault="f", at=1, listener="l", exchange="e", detail="cut"),
    Mark(name="origin", at=1),
]  # fmt: skip


def _values(record: Any) -> Any:
    """All fields, of whatever class."""
    if isinstance(record, msgspec.Struct):
        return {
            "type": getattr(record, "type", None),
            **{n: _values(getattr(record, n)) for n in record.__struct_fields__},
        }
    if isinstance(record, list | tuple):
        return [_values(one) for one in record]
    if hasattr(type(record), "model_fields"):
        return {"type": None, **{name: _values(getattr(record, name)) for name in type(record).model_fields}}
    return record


@pytest.mark.parametrize("record", _RECORDS, ids=lambda record: record.type)
def test_a_line_has_the_fields_of_its_model(record: AnyRecord) -> None:
    """Those that the line leaves out have the model's defaults."""
    assert _values(quick_reader()(to_line(record))) == _values(record)


def test_what_models_can_do_for_a_reader_works_here_too() -> None:
    """A call that never ended, and how far two texts agree."""
    read = quick_reader()
    sent, call = read(to_line(_RECORDS[0])), read(to_line(_RECORDS[2]))
    assert sent.type == "sent"
    assert call.type == "call"

    assert sent.unended() == Call(id="c", intended_at=1, sent_at=1.5, **_FACTS)
    assert call.text == call.expected
    assert call.text.begins(fingerprint("The quick brown fox jumps over the lazy dogs"))
    assert call.text.common_chars(fingerprint("The quick brown fox is tired")) == 16
    assert not Fingerprint().common_chars(call.text)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda line: line.replace(b'"listener"', b'"listner"'), id="an unknown key"),
        pytest.param(lambda line: line.replace(b'"ordinal":1', b'"ordinal":"x"'), id="a wrong type"),
        pytest.param(lambda line: line[:40] + b"\n", id="cut in its middle"),
        pytest.param(lambda _: b'{"type":"novel"}\n', id="an unknown type"),
    ],
)
def test_damage_is_told_in_the_words_of_the_models(damage: Any) -> None:
    """With its line, and the same reason."""
    drill = Drill()
    drill.good("fine", 10)
    lines = [to_line(record) for record in drill.journal().records]
    lines[2:2] = [damage(to_line(_RECORDS[3]))]

    with pytest.raises(JournalBroken) as told:
        list(RecordStream(lines))
    with pytest.raises(JournalBroken) as found:
        list(RecordStream(lines, quick_reader()))

    assert str(found.value) == str(told.value)
    assert "line 3" in str(found.value)
