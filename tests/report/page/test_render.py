"""The page as text: one file, nothing from elsewhere, and what strangers wrote stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from chaosproxy.journal.reading import Journal
from chaosproxy.journal.records import AnyRecord, FaultEdge
from chaosproxy.journal.traffic import Call, CallError, ExchangeRecord, FaultHit
from chaosproxy.report.facts.gather import gather
from chaosproxy.report.facts.outline import outline_of
from chaosproxy.report.page.render import plotly_script, report_html
from chaosproxy.steady_state.findings import Verdict
from chaosproxy.steady_state.verdict import judge
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge

SIZE_MAX = 6_000_000
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>&lt;\x1b[31m\u202e{{7*7}}"


def _drill() -> Drill:
    drill = Drill()
    drill.fault("cut", "stream.truncate", "primary", at=10, lasts=10)
    drill.traffic(0, 60)
    drill.exchange("lied", "primary", 12.5, hit="cut", sent=cut_edge(ORIGIN + 12.5))
    drill.call("lied", 12.5, CUT, error="event")
    drill.expect("success >= 99%")
    return drill


def _page(journal: Journal, verdict: Verdict | None) -> str:
    outline = outline_of(journal)
    return report_html(outline, gather(outline, journal.records, verdict), verdict)


class _Reader(HTMLParser):
    """What a browser would see: tags, attributes, scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


def _hostile(journal: Journal) -> Journal:
    """The same, with the text of a stranger wherever one may have written."""
    records: list[AnyRecord] = []
    for record in journal.records:
        match record:
            case FaultHit():
                records.append(record.model_copy(update={"detail": HOSTILE}))
            case FaultEdge():
                records.append(record.model_copy(update={"fault_type": HOSTILE}))
            case ExchangeRecord():
                records.append(record.model_copy(update={"model": HOSTILE, "error": HOSTILE, "path": HOSTILE}))
            case Call(error=CallError()):
                error = CallError(kind="event", message=HOSTILE)
                records.append(record.model_copy(update={"error": error, "finish": HOSTILE, "model": HOSTILE}))
            case _:
                records.append(record)
    return Journal(tuple(records))


def _hostile_verdict(verdict: Verdict) -> Verdict:
    findings = tuple(finding.model_copy(update={"sentence": HOSTILE}) for finding in verdict.findings)
    rows = tuple(row.model_copy(update={"observed": HOSTILE, "window": HOSTILE}) for row in verdict.expectations)
    texts = {"headline": HOSTILE, "name": HOSTILE, "question": HOSTILE, "replay": HOSTILE}
    return verdict.model_copy(update={**texts, "findings": findings, "expectations": rows})


def test_every_script_is_allowed_by_its_hash_and_nothing_else_is() -> None:
    """The policy names the two scripts that run; the data block is none."""
    drill = _drill()
    reader = _read(_page(drill.journal(), judge(drill.journal(), drill.claims)))

    (policy,) = (
        attributes["content"] or ""
        for tag, attributes in reader.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    running = [
        text for text, (_, attributes) in zip(reader.scripts, _tags(reader, "script"), strict=True) if not attributes
    ]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in running}
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert len(running) == 2
    assert set(directives["script-src"].split()) == hashes
    assert directives["default-src"] == "'none'"
    assert "eval" not in policy


def _tags(reader: _Reader, name: str) -> list[tuple[str, dict[str, str | None]]]:
    return [(tag, attributes) for tag, attributes in reader.tags if tag == name]


def test_nothing_comes_from_elsewhere() -> None:
    """No source, no stylesheet, no handler; links lead to the page itself, and exist there."""
    drill = _drill()
    reader = _read(_page(drill.journal(), judge(drill.journal(), drill.claims)))

    ids = {attributes["id"] for _, attributes in reader.tags if "id" in attributes}
    links = [attributes["href"] for tag, attributes in reader.tags if tag == "a"]
    assert not {"src", "srcset", "data", "action"} & {name for _, attributes in reader.tags for name in attributes}
    assert not {"link", "iframe", "object", "form"} & {tag for tag, _ in reader.tags}
    assert links
    assert all(link is not None and link[:1] == "#" and link[1:] in ids for link in links)


def test_text_of_strangers_adds_no_element() -> None:
    """The hostile page has the tags of the harmless one, and what runs is the same."""
    drill = _drill()
    verdict = judge(drill.journal(), drill.claims)
    plain, hostile = (
        _read(_page(drill.journal(), verdict)),
        _read(_page(_hostile(drill.journal()), _hostile_verdict(verdict))),
    )

    assert [tag for tag, _ in plain.tags] == [tag for tag, _ in hostile.tags]
    assert plain.scripts[1:] == hostile.scripts[1:]
    assert not [name for _, attributes in hostile.tags for name in attributes if name.startswith("on")]


def test_text_of_strangers_is_shown() -> None:
    """As they wrote it; what would steer a terminal or turn the line, as an escape."""
    drill = _drill()
    verdict = _hostile_verdict(judge(drill.journal(), drill.claims))
    page = _page(_hostile(drill.journal()), verdict)

    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;lt;\\x1b[31m\\u202e{{7*7}}" in page


def test_the_data_ends_no_script() -> None:
    """It holds no tag at all, and is what the plots need."""
    drill = _drill()
    reader = _read(_page(_hostile(drill.journal()), None))

    assert "<" not in reader.scripts[0]
    data = json.loads(reader.scripts[0])
    assert data["faults"][0]["what"].startswith("</script><script>alert(1)")
    assert len(data["points"]["x"]) == 61


def test_it_is_no_larger_than_it_may_be() -> None:
    """Ten thousand calls fit into six megabytes, plotly's script included."""
    drill = Drill(lasts_s=2_500)
    drill.traffic(0, 2_500, each=0.25)

    page = _page(drill.journal(), None)

    assert page.count('"x":[') == 1
    assert len(page.encode()) < SIZE_MAX


@pytest.mark.parametrize("exit_code", [0, 1, 3, 4, 5, 130, 143])
def test_the_verdict_is_the_first_thing(exit_code: int) -> None:
    """Whatever it is, in the title and in the heading."""
    drill = _drill()
    verdict = judge(drill.journal(), drill.claims).model_copy(update={"exit_code": exit_code})

    page = _page(drill.journal(), verdict)

    word = {4: "ABORTED", 5: "ERROR", 130: "INTERRUPTED", 143: "TERMINATED"}.get(
        exit_code, verdict.verdict.value.upper()
    )
    assert f"<title>{word} drill</title>" in page
    assert re.search(rf"<h1><span class=\"badge \w+\">{word}</span>", page)


def test_without_a_verdict_nothing_is_judged() -> None:
    """And the page says so."""
    page = _page(_drill().journal(), None)

    assert "NOT JUDGED" in page
    assert not re.search(r"<strong class=\"(held|deviated)\"", page)


def test_plotly_needs_no_import() -> None:
    """Its script is found without its Python."""
    assert "plotly.js" in plotly_script()[:200]
