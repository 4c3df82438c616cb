"""The catalogue as text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import fill, indent

from chaosproxy.faults.docs import FaultDoc, Setting

ROOMS = {
    "admission": "before the upstream is asked",
    "timing": "later, never different",
    "framing": "same words, broken envelope",
    "semantic": "valid envelope, wrong words",
    "toxic": "the TCP level, any port",
}
"""What the faults of a room have in common."""


def overview(docs: Sequence[FaultDoc], width: int | None) -> str:
    """All faults by room, a line each; wrapped at ``width``, or not at all for a pipe."""
    blocks = []
    by_room = sorted(docs, key=lambda doc: list(ROOMS).index(doc.room))
    for room, members in groupby(by_room, key=lambda doc: doc.room):
        blocks.append(f"{room}: {ROOMS[room]}\n" + _rows([(doc.name, plain(doc.summary)) for doc in members], width))
    return "\n\n".join(blocks)


def symptoms(docs: Iterable[FaultDoc], width: int | None) -> str:
    """What the client sees of each fault."""
    return _rows([(doc.name, doc.symptom) for doc in docs], width)


def explanation(doc: FaultDoc, width: int | None) -> str:
    """One fault: what it does, what the edges see, its settings, and how to ask for it."""
    flag, entry = examples(doc)
    parts = [
        f"{doc.name} ({doc.room}: {ROOMS[doc.room]})",
        "\n".join(_wrapped(plain(text), width) for text in (doc.summary, doc.detail) if text),
        indent(doc.timeline, "  "),
        f"the client sees\n{_wrapped(doc.symptom, width, '  ')}",
        f"settings\n{_settings(doc.settings, width)}" if doc.settings else "no settings",
        f"on the command line\n  chaosproxy serve --upstream URL --fault '{flag}'",
        f"in an experiment file, under faults\n  {entry}",
    ]
    return "\n\n".join(part for part in parts if part)


def examples(doc: FaultDoc) -> tuple[str, str]:
    """The fault as a ``--fault`` and as an entry of an experiment file, with its first setting that has a value."""
    sample = next(((setting.name, value) for setting in doc.settings if (value := _sample(setting))), None)
    flag = " ".join([doc.name, *([f"{sample[0]}={_quoted(sample[1])}"] if sample else [])])
    do = f"type: {doc.name}" + (f", {sample[0]}: {_scalar(sample[1])}" if sample else "")
    return flag, f"- {{target: primary, at: 5s, lasts: 10s, do: {{{do}}}}}"


def _sample(setting: Setting) -> str:
    """A telling value: the default, an example, or the first of several words; nothing when there is none."""
    if setting.default not in ("", "0", "true", "false"):
        return setting.default
    return setting.example or (setting.type.partition(" | ")[0] if " | " in setting.type else "")


def _quoted(text: str) -> str:
    """As one word on a command line that stands in single quotes itself."""
    return f'"{text}"' if " " in text else text


def _scalar(text: str) -> str:
    """As YAML wants it."""
    return text if re.fullmatch(r"[\w.]+", text) else f'"{text}"'


def _settings(settings: Sequence[Setting], width: int | None) -> str:
    blocks = []
    for setting in settings:
        default = f"default {setting.default}" if setting.default else "not set"
        blocks.append(f"  {setting.name}: {setting.type} ({default})\n{_wrapped(plain(setting.doc), width, '      ')}")
    return "\n".join(blocks)


def _rows(rows: Sequence[tuple[str, str]], width: int | None) -> str:
    left = max(len(name) for name, _ in rows) + 4
    return "\n".join(_row(f"  {name}".ljust(left), text, width) for name, text in rows)


def _row(label: str, text: str, width: int | None) -> str:
    if width is None:
        return label + text
    return fill(text, max(width, len(label) + 20), initial_indent=label, subsequent_indent=" " * len(label))


def _wrapped(text: str, width: int | None, margin: str = "") -> str:
    return fill(text, width, initial_indent=margin, subsequent_indent=margin) if width else margin + text


def plain(text: str) -> str:
    """Without the marks of a docstring and its pointers into our notes."""
    return re.sub(r" \(wire\.md[^)]*\)", "", text).replace("``", "")
