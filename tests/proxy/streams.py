"""Streams as providers send them and as they should not: frames of each dialect, odd ones among them, cut anywhere."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.answers import Answer, Finish, ToolCall

TEXTS = st.text(max_size=8) | st.sampled_from([" hello", "é", "😀" * 9, "a\nb", "\u2028"])
_VALUES: st.SearchStrategy[Any] = (
    st.none() | st.just("") | TEXTS | st.integers(-1, 2) | st.just([]) | st.just({}) | st.just(2**64)
)
_ODD = st.sampled_from(
    [
        b"\n",
        b": ping\n\n",
        b"event: ping\ndata: {}\n\n",
        b"data: [DONE]\n\n",
        b"data: {}\r\n\r\n",
        b'data: {"choices":[{"delta":{"content":"cr"}}]}\r\r',
        b'data: {"choices":[{"delta":{"content":\ndata: "two lines"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"cr in it"\r}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"lf in it"}}]\n}\n\n',
        b'data:{"choices":[{"delta":{"content":"no space"}}]}\n\n',
        b'\xef\xbb\xbfdata: {"choices":[{"delta":{"content":"bom"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"a","content":"b"}}],"x":NaN}\n\n',
        b'id: 7\ndata: {"choices":[{"delta":{"content":"id"}}]}\n\n',
        b'data: {"choices":"x"}\n\n',
        b'data: {"choices":{"delta":1}}\n\n',
        b'data: {"error":{"message":"m"},"choices":[{"delta":{"content":"both"}}]}\n\n',
        b"data: [[[\n\n",
        b"event: content_block_delta\ndata: {\n\n",
        b'event: content_block_delta\ndata: {"type":"message_stop","delta":{"type":"text_delta","text":"no"}}\n\n',
        b'event: error\ndata: {"type":"error"}\n\n',
        b"half",
    ]
)


@st.composite
def _openai(draw: st.DrawFn) -> bytes:
    keys = ["content", "role", "refusal", "reasoning", "reasoning_content", "tool_calls", "function_call"]
    delta: dict[str, Any] = {"content": draw(st.just("word") | _VALUES)}
    delta |= draw(st.dictionaries(st.sampled_from(keys), _VALUES, max_size=1))
    choice = {"index": 0, "delta": delta, "finish_reason": draw(st.sampled_from([None, None, "stop", "", 1]))}
    chunk: dict[str, Any] = {"choices": [choice] * draw(st.sampled_from([0, 1, 1, 1, 2]))}
    chunk |= draw(st.dictionaries(st.sampled_from(["usage", "error", "model", "choices"]), _VALUES, max_size=1))
    if draw(st.booleans()):
        chunk["usage"] = draw(st.none() | st.just({"prompt_tokens": 3, "completion_tokens": 4}))
    return b"data: %b\n\n" % json.dumps(chunk, ensure_ascii=draw(st.booleans())).encode("utf-8", "replace")


@st.composite
def _anthropic(draw: st.DrawFn) -> bytes:
    kinds = ["text_delta", "thinking_delta", "input_json_delta", "signature_delta"]
    delta: dict[str, Any] = {"type": draw(st.sampled_from(kinds) | _VALUES)}
    delta |= draw(st.dictionaries(st.sampled_from(["text", "thinking", "partial_json"]), _VALUES, max_size=2))
    name = draw(st.sampled_from(["content_block_delta", "content_block_delta", "message_delta"]))
    payload = {"type": name, "index": 0, "delta": draw(st.just(delta) | _VALUES)}
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps(payload).encode())


@st.composite
def _answer(draw: st.DrawFn, name: str) -> list[bytes]:
    tool = draw(st.none() | st.just(ToolCall("f", ('{"a"', ":1}"))))
    words = tuple(draw(st.lists(TEXTS.filter(lambda text: text.isprintable()), max_size=4)))
    finish = draw(st.sampled_from(Finish))
    return dialect(name).stream_frames(
        Answer("1", "m", 1, words, finish, prompt_tokens=2, output_tokens=5, tool=tool, include_usage=True)
    )


def frames_of(name: str) -> st.SearchStrategy[list[bytes]]:
    """Frames of a stream; not every one is what it should be."""
    made = {"openai.chat": _openai(), "anthropic.messages": _anthropic()}.get(name, st.binary(max_size=20))
    one = (made | made | _ODD).map(lambda frame: [frame])
    several = st.lists(one if name == "raw" else one | _answer(name), max_size=5)
    return several.map(lambda lists: [frame for frames in lists for frame in frames])


@st.composite
def pieces_of(draw: st.DrawFn, name: str) -> list[bytes]:
    """The same in pieces: one for each frame, or cut anywhere."""
    frames = draw(frames_of(name))
    if draw(st.booleans()):
        return [frame for frame in frames if frame]
    data = b"".join(frames)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return [piece for piece in pieces if piece]
