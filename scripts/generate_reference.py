"""Writes docs/reference/ from the models: ``make reference``. Nobody edits those pages; a test compares them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from typer.testing import CliRunner

from chaosproxy.cli.app import app
from chaosproxy.experiment.schema import json_schema, proxies_schema
from chaosproxy.faults.docs import FaultDoc, catalogue
from chaosproxy.faults.incidents import Incident
from chaosproxy.faults.where import Where
from chaosproxy.report.catalogue import ROOMS, examples, plain
from scripts.clients_page import behaviour, clients

Schema: TypeAlias = dict[str, Any]

DIRECTORY = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Made by `make reference` from the models; edit those. -->\n"
COMMANDS = (
    ("demo",),
    ("serve",),
    ("run",),
    ("plan",),
    ("check",),
    ("explain",),
    ("report",),
    ("compare",),
    ("runs",),
    ("minimize",),
    ("search",),
    ("enumerate",),
    ("replay",),
    ("status",),
    ("inject",),
    ("heal",),
    ("stop",),
    ("faults",),
    ("profiles",),
    ("init",),
    ("drills",),
    ("validate",),
    ("ca",),
    ("toxiproxy",),
    ("schema",),
    ("lab", "backend"),
    ("lab", "gateway"),
    ("lab", "availability"),
    ("lab", "verify"),
)


def pages() -> dict[str, str]:
    """Text by file name."""
    texts = {
        "faults.md": _faults(),
        "experiment-file.md": _file(EXPERIMENT_FILE, json_schema()),
        "proxies-file.md": _file(PROXIES_FILE, proxies_schema()),
        "command-line.md": _command_line(),
        "clients.md": clients(),
    }
    return {name: f"{NOTE}\n{text.rstrip()}\n" for name, text in texts.items()}


def main() -> int:
    """Write all pages; the exit code."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")
        print(f"wrote {DIRECTORY.name}/{name}")
    return 0


# -------------------------------------------------------------------------------------------------------------- faults

FAULTS = """\
`chaosproxy faults NAME` prints the same on a terminal. What real clients do under a fault was measured;
[clients.md](clients.md) has the whole table and says what **T**, **E**, **C** and **H** mean."""

PLACES = """\
A fault that acts at one place of an answer has a `where`: `where=token:5` in a `--fault`, `where: "token:5"` in a file.
Events, tokens and bytes count from 1, and the place is the gap after the one that is named; 0 is the gap before the
first. Faults that change a whole event (`sse.drop`, `sse.malformed`) change the one that is named. An answer that ends
before its place is not hit.

Bytes are those of the body as it travels, so a `byte:N` may lie anywhere: in the middle of an event, of a character of
several bytes (`é` is two, `東` three), of a tool's arguments. Everything before it arrives, and nothing after it. In a
compressed answer they are compressed bytes, unless another fault has to read the events and has it unpacked.

A plain (not streamed) answer has bytes and, with a Content-Length, a percentage of them. It has no events, no tokens
and no terminal event: at such a place a fault is *not applicable*, with the reason `the request does not ask for a
stream`, or `the answer was not streamed` where only the answer tells. To break off after the whole of a plain answer
there is [`stream.unclean_end`](#streamunclean_end), to cut a tool's arguments in one
[`llm.tool_args_cut`](#llmtool_args_cut)."""

WHERE = (
    ("event:N", "event:3", "any event of a stream, comments and pings too"),
    ("first_event", "first_event", "the same as `event:1`"),
    ("token:N", "token:5", "a token is an event with text, reasoning or a tool's arguments; role chunks are none"),
    ("before_terminal", "before_terminal", "all text is there, `[DONE]` or `message_stop` is not"),
    ("after_terminal", "after_terminal", "`[DONE]` or `message_stop` is there, the body has not ended"),
    ("byte:N", "byte:100", "of the body, streamed or plain; in the middle of an event or a character, too"),
    (
        "percent:P",
        "percent:50",
        "0 to 100, rounded down to a byte; only of an answer with a Content-Length, which streams rarely have",
    ),
)
"""Spelling, an example and what it counts."""


def _faults() -> str:
    docs = sorted(catalogue(), key=lambda doc: list(ROOMS).index(doc.room))
    lines = ["# Faults", "", FAULTS, ""]
    lines += ["| fault | what it does | what the client sees |", "|---|---|---|"]
    for room, members in groupby(docs, key=lambda doc: doc.room):
        lines.append(f"| **{room}** | *{ROOMS[room]}* | |")
        lines += [
            f"| [`{doc.name}`](#{_anchor(doc.name)}) | {_cell(doc.summary)} | {_cell(doc.symptom)} |" for doc in members
        ]
    lines += ["", "### Places", "", PLACES, "", "| `where` | such as | that is | |", "|---|---|---|---|"]
    for spelling, sample, meaning in WHERE:
        lines.append(f"| `{spelling}` | `{sample}` | {Where.parse(sample).place()} | {meaning} |")
    lines += [line for doc in docs for line in _fault(doc)]
    return "\n".join(lines)


def _fault(doc: FaultDoc) -> Iterator[str]:
    flag, entry = examples(doc)
    yield from ("", f"## {doc.name}", "", plain(doc.summary))
    if doc.detail:
        yield from ("", plain(doc.detail))
    yield from ("", "```text", doc.timeline, "```", "", f"The client sees: {plain(doc.symptom)}.")
    if told := behaviour(doc.name, flag):
        yield from ("", f"[Real clients](clients.md) under {told}.")
    if doc.incidents:
        yield from ("", "It happened in:", "", *map(_incident, doc.incidents))
    if doc.settings:
        yield from ("", "| setting | value | default | |", "|---|---|---|---|")
        for setting in doc.settings:
            default = f"`{setting.default}`" if setting.default else ""
            kind = "[a place](#places)" if setting.name == "where" else _cell(setting.type)
            yield f"| `{setting.name}` | {kind} | {default} | {_cell(setting.doc)} |"
    yield from ("", f"`--fault '{flag}'`, or under `faults` of an experiment:", "", "```yaml", entry, "```")


def _incident(incident: Incident) -> str:
    links = ", ".join(f"[{each}](https://github.com/{each.replace('#', '/issues/')})" for each in incident.references)
    return f"- {links}: {plain(incident.summary)}"


# --------------------------------------------------------------------------------------------------------------- files

EXPERIMENT_FILE = """\
# The experiment file: every key

Unknown keys are refused. Times need a unit (`250ms`, `2s`, `3m`), shares a `%`, rates a `/s`. Any value may be
`${name}` (a variable of `vars`, `-D name=value` overrides it) or `${env:NAME:-default}`.
`chaosproxy schema` prints the JSON Schema, [definitions.md](../definitions.md) defines the measures."""

PROXIES_FILE = """\
# The proxies file: every key

Several listeners in one process: `chaosproxy serve --config proxies.yaml`. Flags win over environment variables, and
those over this file; each `--fault` is added to its faults.

```yaml
seed: 7
listeners:
  primary:
    listen: "127.0.0.1:9001"
    upstream: https://api.openai.com
    faults: ["stream.truncate where=token:5 share=20%"]
  fallback: {listen: "127.0.0.1:9002", upstream: "${env:FALLBACK_URL:-http://127.0.0.1:8000}"}
```"""


def _file(head: str, schema: Schema) -> str:
    paths = _paths(schema)
    sections = [
        ("The top of the file", schema),
        *((f"`{path}`", schema["$defs"][name]) for name, path in paths.items()),
    ]
    return "\n".join([head, *(line for heading, model in sections for line in _section(heading, model, paths))])


def _paths(schema: Schema) -> dict[str, str]:
    """Where in the file each definition is described: at the first path that leads to it, the shortest counting."""
    definitions: Schema = schema["$defs"]
    paths: dict[str, str] = {}
    level = [("", schema)]
    while level:
        found = [
            (f"{path}.{key}".lstrip(".") + suffix, name)
            for path, model in level
            for key, value in model["properties"].items()
            for suffix, name in _inside(value)
            if "properties" in definitions[name] and name != "Fault"
        ]
        new = {name: path for path, name in reversed(found) if name not in paths}
        level = [(path, definitions[name]) for name, path in reversed(new.items())]
        paths.update(reversed(new.items()))
    order = list(schema["properties"])
    told = {name: path + _which(path, definitions[name], paths) for name, path in paths.items()}
    return dict(sorted(told.items(), key=lambda item: order.index(re.split(r"[.\[ ]", item[1])[0])))


def _which(path: str, model: Schema, paths: dict[str, str]) -> str:
    """What tells this mapping from others that may stand at the same place."""
    if list(paths.values()).count(path) < 2:
        return ""
    constant = next((f"{key}: {value['const']}" for key, value in model["properties"].items() if "const" in value), "")
    return f" with {constant or [*model.get('required', ()), *model['properties']][0]}"


def _section(heading: str, model: Schema, paths: dict[str, str]) -> Iterator[str]:
    """The keys of one mapping."""
    yield from ("", f"## {heading}", "", plain(model.get("description", "")))
    yield from ("", "| key | value | default | |", "|---|---|---|---|")
    for key, value in model["properties"].items():
        meaning = _cell(value.get("description", ""))
        default = _spelled(value.get("default", "")) if "Default:" not in meaning else ""
        needed = " (required)" if key in model.get("required", ()) else ""
        yield f"| `{key}`{needed} | {_cell(_words(value, paths))} | {f'`{default}`' if default else ''} | {meaning} |"


def _inside(schema: Schema, suffix: str = "") -> Iterator[tuple[str, str]]:
    """The definitions that a value may follow, and how its path goes on to them."""
    if "$ref" in schema:
        yield suffix, schema["$ref"].rpartition("/")[2]
    for choice in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _inside(choice, suffix)
    for key, further in (("then", ""), ("items", "[]"), ("additionalProperties", ".NAME")):
        if isinstance(schema.get(key), dict):
            yield from _inside(schema[key], suffix + further)


def _words(schema: Schema, paths: dict[str, str]) -> str:
    """What may stand there."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        told = {"reference": "", "Fault": "[a fault](faults.md)"}
        return told[name] if name in told else f"[mapping](#{_anchor(paths[name])})"
    if "anyOf" in schema and "properties" not in schema:
        return " or ".join(dict.fromkeys(words for choice in schema["anyOf"] if (words := _words(choice, paths))))
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "examples" in schema:
        return "such as " + " or ".join(f"`{each}`" for each in schema["examples"])
    if "items" in schema:
        return f"list of {_several(schema['items'], paths)}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"NAME: {_several(schema['additionalProperties'], paths)}"
    return _scalar(schema)


def _several(schema: Schema, paths: dict[str, str]) -> str:
    """What may stand there, where it follows one of several definitions."""
    if "allOf" not in schema:
        return _words(schema, paths)
    return " or ".join(_words({"$ref": f"#/$defs/{name}"}, paths) for _, name in _inside(schema) if name != "reference")


def _scalar(schema: Schema) -> str:
    names = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "object": "mapping"}
    kind = schema.get("type")
    signs = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="))
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs if abs(schema.get(key, 1e18)) < 1e18]
    return " ".join([names.get(kind, "text") if isinstance(kind, str) else "text", *bounds])


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


# -------------------------------------------------------------------------------------------------------- command line

EXIT_CODES = """\
| exit code | |
|---|---|
| 0 | held; the command did what it was asked |
| 1 | deviated: an expectation does not hold |
| 2 | a wrong file, flag or variable |
| 3 | inconclusive (`--inconclusive=warn` makes it 0) |
| 4 | aborted by a condition of the file |
| 5 | error: a busy port, a part that crashed, a heal that was not verified |
| 130, 143 | interrupted, terminated: `run` heals first; `serve` and `lab` end with 0 |"""


def _command_line() -> str:
    lines = ["# The command line", "", EXIT_CODES]
    for command in COMMANDS:
        said = CliRunner(env={"COLUMNS": "100"}).invoke(app, [*command, "--help"], prog_name="chaosproxy")
        lines += ["", f"## chaosproxy {' '.join(command)}", "", "```text", said.output.rstrip(), "```"]
    return "\n".join(lines)


def _anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower()


def _cell(text: str) -> str:
    return plain(" ".join(text.split())).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
