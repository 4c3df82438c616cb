"""What an exchange's account enters into the journal."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.events import Exchange, Framing, Head
from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.records import from_line, to_line
from chaosproxy.journal.traffic import Edge, ExchangeRecord, FaultMiss
from chaosproxy.plan.decision import Decision
from chaosproxy.proxy.account import Account
from chaosproxy.proxy.event_tally import tally_of
from chaosproxy.wire.dialects import dialect

CHAT = dialect("openai.chat")
HEAD = Head(0.25, 200, "OK", (), Framing.CHUNKED, streamed=True)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
times = st.none() | st.floats(0, 1e6)
sizes = st.integers(0, 2**70)


def _exchange(**facts: object) -> Exchange:
    return Exchange(id="a-t-1", listener="a", ordinal=1, method="POST", path="/", **facts)  # type: ignore[arg-type]


def _chunk(text: str) -> bytes:
    return f'data: {{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}\n\n'.encode()


@given(data=st.data())
def test_line_and_record_say_the_same(data: st.DataObject) -> None:
    """Whatever an account holds, its line reads as the object of the same entry, with no field at its default."""
    account = Account(
        _exchange(
            model=data.draw(st.none() | words),
            stream=data.draw(st.none() | st.booleans()),
            call=data.draw(words),
            prompt_tokens=data.draw(st.none() | sizes),
        ),
        began_at=data.draw(st.floats(0, 1e9)),
    )
    account.asked_at = data.draw(times)
    account.error = data.draw(st.none() | words)
    account.misses = data.draw(st.dictionaries(words, words, max_size=2))
    account.attached = {fault: Decision(fault, "chosen") for fault in data.draw(st.lists(words, max_size=2))}
    for side in (account.received, account.sent):
        side.status = data.draw(st.none() | st.integers(100, 999))
        side.head_at, side.retry_after_s = data.draw(times), data.draw(times)
        side.tunnelled_bytes = data.draw(sizes)
        if data.draw(st.booleans()):
            side.end(data.draw(st.sampled_from(["end", "fin", "gone"])), data.draw(st.floats(0, 9)))
        if data.draw(st.booleans()):
            side.tally = tally_of(CHAT, HEAD, {}, 0)
            side.tally.feed(_chunk("hello") + data.draw(st.sampled_from([b"", b"data: [DONE]\n\n"])), 0.5)
    entry = account.entry()

    assert from_line(entry.line) == entry.record
    assert json.loads(entry.line) == json.loads(to_line(entry.record))


def test_everything_that_it_knows_is_entered() -> None:
    """Both edges in absolute times, what was at work, what was not and why, and what failed."""
    account = Account(_exchange(dialect="openai.chat", model="m", stream=True, call="c", attempt=2), began_at=100.0)
    account.asked_at, account.error = 0.125, "reset: the connection was reset"
    account.attached, account.misses = {"cut": Decision("cut", "chosen")}, {"drop": "share"}
    received, sent = account.received, account.sent
    received.status, received.head_at, received.tally = 200, 0.25, tally_of(CHAT, HEAD, {}, 0)
    received.tally.feed(_chunk("hello") + _chunk(" you") + b"data: [DONE]\n\n", 0.5)
    received.end("end", 1.0)
    sent.status, sent.head_at, sent.retry_after_s, sent.tally = 200, 0.25, 3.0, tally_of(CHAT, HEAD, {}, 0)
    sent.tally.feed(_chunk("hello"), 0.5)
    sent.end("reset", 0.75)

    assert account.entry().record == ExchangeRecord(
        id="a-t-1",
        listener="a",
        ordinal=1,
        call="c",
        attempt=2,
        method="POST",
        path="/",
        dialect="openai.chat",
        model="m",
        stream=True,
        began_at=100.0,
        asked_at=100.125,
        received=Edge(
            status=200,
            head_at=100.25,
            first_content_at=100.5,
            end_at=101.0,
            ended="end",
            events=3,
            tokens=2,
            bytes=len(_chunk("hello") + _chunk(" you") + b"data: [DONE]\n\n"),
            terminal=True,
            text=fingerprint("hello you"),
        ),
        sent=Edge(
            status=200,
            head_at=100.25,
            first_content_at=100.5,
            end_at=100.75,
            ended="reset",
            events=1,
            tokens=1,
            bytes=len(_chunk("hello")),
            text=fingerprint("hello"),
            retry_after_s=3.0,
        ),
        attached=["cut"],
        misses=[FaultMiss(fault="drop", reason="share")],
        error="reset: the connection was reset",
    )
