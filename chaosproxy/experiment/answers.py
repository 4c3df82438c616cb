"""Whether an HTTP answer is what a probe, or a step of a journey, expects. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from chaosproxy.units import format_duration

if TYPE_CHECKING:
    from chaosproxy.experiment.probe_kinds import HttpExpect


def wrong_with(expect: HttpExpect, status: int, body: bytes, took_s: float) -> str:
    """What is wrong with an answer, in words that repeat no text of it; empty when nothing is."""
    if expect.status and status not in expect.status:
        return f"status {status}, expected {' or '.join(map(str, expect.status))}"
    if not expect.status and status >= 400:
        return f"status {status}"
    text = body.decode("utf-8", "replace")
    if expect.body is not None and re.search(expect.body, text) is None:
        return "the body does not match"
    if expect.json_ and (wrong := _wrong_json(expect.json_, text)):
        return wrong
    if expect.within is not None and took_s > expect.within:
        return f"it took {format_duration(round(took_s, 3))}, expected within {format_duration(expect.within)}"
    return ""


def _wrong_json(wanted: dict[str, str], text: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):  # the latter: nested too deeply to be an answer
        return "the body is no JSON"
    for path, expected in wanted.items():
        try:
            here = at_path(document, path)
        except LookupError:
            return f"the JSON has no {path}"
        if not _is(here, expected):
            return f"{path} in the JSON is {_shown(here)}, which is not what is expected"
    return ""


def at_path(document: Any, path: str) -> Any:
    """What stands at ``data.0.status`` of a JSON document. Raises LookupError."""
    here = document
    for step in path.removeprefix("$.").split("."):
        try:
            here = here[int(step)] if isinstance(here, list) else here[step]
        except (TypeError, ValueError) as error:
            raise LookupError(path) from error
    return here


def _is(value: Any, expected: str) -> bool:
    """As the file spells it: everything there is text."""
    if isinstance(value, str):
        return value == expected
    try:
        return bool(value == json.loads(expected)) and isinstance(value, bool) is (expected in ("true", "false"))
    except ValueError:
        return False


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return "another text" if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"
