"""What is read by its place is what the dialect reads, or it is not read at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.sse import SseSplitter, write_event
from chaosproxy.wire.template import Template, learn

NAMES = ["openai.chat", "anthropic.messages"]
BAD_BYTES = st.sampled_from([b'"', b"\\", b"\n", b"\n\n", b"\r", b"\x00", b"\xff", b"\xe2\x82", b"data: ", b"x", b"}"])


def event(name: str, text: str, more: object = None) -> bytes:
    """An ordinary content event."""
    if name == "openai.chat":
        chunk = {"id": "c1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], "more": more}
        return write_event(json.dumps(chunk, ensure_ascii=False))
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}, "more": more}
    return write_event(json.dumps(delta, ensure_ascii=False), "content_block_delta")


def learnt(name: str) -> Template:
    """From an ordinary event."""
    template = learn(event(name, "word"), "word", dialect(name).content_delta)
    assert template is not None
    return template


def read(spoken: Dialect, data: bytes) -> list[str | None]:
    """Each frame by the dialect; None at the end for half a frame."""
    splitter = SseSplitter()
    texts = [spoken.content_delta(frame) for frame in splitter.feed(data)]
    return [*texts, None] if splitter.pending else texts


VALUES = st.integers(0, 10**20).map(str) | st.sampled_from(["1.5", "-1", "1e3", "null", "{}", "01"])
STRINGS = st.text(alphabet="ab1 é", max_size=3).map(lambda text: f'"{text}"') | st.sampled_from(
    ['"\\n"', '"\\u0041"', "7"]
)
WHERE = st.sampled_from(["ts", "usage", "error", "choices", "delta", "type"])


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_one_value_more_may_differ(name: str, data: st.DataObject) -> None:
    """Learnt from any two events, it reads what the dialect reads in any others, or nothing."""
    spoken, field = dialect(name), data.draw(WHERE)
    values = data.draw(st.lists(VALUES, min_size=4, max_size=4) | st.lists(STRINGS, min_size=4, max_size=4))
    words = data.draw(st.lists(st.sampled_from(["word", "é", 'a"b']), min_size=4, max_size=4))
    frames = []
    for word, value in zip(words, values, strict=True):
        whole = event(name, word)
        frames.append(whole.replace(b'"more": null', f'"{field}": {value}, "end": 1'.encode()))
    template = None
    for frame in frames[:2]:
        text = spoken.content_delta(frame)
        template = template if text is None else learn(frame, text, spoken.content_delta, template)
    for batch in (frames[2], frames[3], b"".join(frames)):
        texts = template and template.texts(batch)

        assert texts is None or texts == read(spoken, batch)


@pytest.mark.parametrize(
    "values", [("1", "22", "0"), ('"ab"', '""', '"xyz"'), ('"a1"', '"a22"', '"a3"'), ("0.5", "0.25", "0.1")]
)
def test_times_and_padding_do_not_matter(values: tuple[str, str, str]) -> None:
    """Providers put them into every event."""
    spoken = dialect("openai.chat")
    frames = [event("openai.chat", "word").replace(b"null}\n", f"{value}}}\n".encode()) for value in values]
    template = learn(frames[1], "word", spoken.content_delta, learn(frames[0], "word", spoken.content_delta))

    assert template is not None
    assert template.texts(b"".join(frames)) == ["word"] * 3


def test_a_name_that_differs_is_no_value() -> None:
    """It may be one that means something."""
    spoken = dialect("openai.chat")
    frames = [
        event("openai.chat", "word").replace(b"more", name).replace(b"null}\n", b"1}\n")
        for name in (b"a", b"b", b"usage")
    ]
    template = learn(frames[1], "word", spoken.content_delta, learn(frames[0], "word", spoken.content_delta))

    assert template is not None
    assert template.texts(frames[2]) is None


@pytest.mark.parametrize("name", NAMES)
@given(texts=st.lists(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])), min_size=1))
def test_ordinary_events_are_read_together(name: str, texts: list[str]) -> None:
    """All of them or none: what JSON escapes is left to the dialect."""
    data = b"".join(event(name, text) for text in texts)
    plain = not any(json.dumps(text, ensure_ascii=False) != f'"{text}"' for text in texts)

    assert learnt(name).texts(data) == (texts if plain else None)
    assert read(dialect(name), data) == texts


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_whatever_is_read_is_what_the_dialect_reads(name: str, data: st.DataObject) -> None:
    """Also when the events were damaged, by a byte too many or too few, inside the text or around it."""
    whole = b"".join(event(name, text) for text in data.draw(st.lists(st.sampled_from(["a", "bc", "é"]), max_size=3)))
    place = data.draw(st.integers(0, len(whole)))
    damaged = whole[:place] + data.draw(BAD_BYTES) + whole[place + data.draw(st.integers(0, 3)) :]
    texts = learnt(name).texts(damaged)

    assert texts is None or texts == read(dialect(name), damaged)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        pytest.param(event("openai.chat", "c1"), "c1", id="the text stands elsewhere too"),
        pytest.param(event("openai.chat", "a\nb"), "a\nb", id="the text has an escape"),
        pytest.param(event("openai.chat", "x")[:-1] + b"\r\n", "x", id="other line ends"),
        pytest.param(event("openai.chat", "x", more={"content": "y"}), "y", id="the place is another one"),
    ],
)
def test_where_the_place_is_not_certain_nothing_is_learnt(frame: bytes, text: str) -> None:
    """A wrong template would change what the journal says about every event after it."""
    assert learn(frame, text, dialect("openai.chat").content_delta) is None


@pytest.mark.parametrize("data", [b"", b"data: ", event("openai.chat", ""), event("openai.chat", "a") + b"\n"])
def test_what_is_made_in_another_way_is_not_read(data: bytes) -> None:
    """Empty texts are no content; a blank line more is a frame of its own."""
    assert learnt("openai.chat").texts(data) is None
