"""Words of others in logs, on a terminal and in reports: they are shown, and steer nothing."""

from __future__ import annotations

import json
from io import StringIO
from xml.etree import ElementTree as ET

import pytest
import structlog
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chaosproxy.cli.live import _say
from chaosproxy.errors import printable
from chaosproxy.journal.lines import Narrator
from chaosproxy.journal.records import from_line, to_line
from chaosproxy.journal.traffic import ExchangeRecord, FaultHit
from chaosproxy.lab.part import log_to_stderr
from chaosproxy.report.console import QuietConsole
from chaosproxy.report.junit import junit_xml
from chaosproxy.report.printable import SafeConsole
from chaosproxy.steady_state.findings import Finding
from chaosproxy.steady_state.verdict import judge
from tests.cli.command import chaosproxy
from tests.functional.wire_kit import answers, ask, bench, call
from tests.report.test_junit import _drill

EVIL = "\x1b[2J\x1b]0;title\x07\rok\b\x9b31m\u202egnp\u2028\x7f\x00"
STEERING = ("\x1b", "\x07", "\r", "\b", "\x9b", "\u202e", "\u2028", "\x7f", "\x00")


def steers(text: str) -> list[str]:
    """What of it a terminal would obey."""
    return [mark for mark in STEERING if mark in text]


def test_what_is_printable() -> None:
    """Control characters become pictures; line ends, tabs and the letters of all languages stay."""
    assert steers(printable(EVIL)) == []
    assert printable("\x1b[31m") == "\\x1b[31m"
    assert printable("wörd\n\t日本") == "wörd\n\t日本"


@pytest.mark.parametrize("make", [SafeConsole, QuietConsole])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_console(make: type[Console], *, terminal: bool) -> None:
    """In a line, a styled text and a table; the console's own colours are still there."""
    paper = StringIO()
    console = make(file=paper, force_terminal=terminal, width=200, color_system="truecolor" if terminal else None)
    table = Table()
    table.add_column("a")
    table.add_row(EVIL)
    for words in (EVIL, Text(EVIL, "bold red"), table):
        console.print(words, markup=False)

    plain = Text.from_ansi(paper.getvalue()).plain
    assert "title" in plain
    assert steers(paper.getvalue().replace("\x1b[0m", "").replace("\x1b[1;31m", "")) in ([], ["\x1b"])
    assert "\x1b[2J" not in paper.getvalue()
    assert "\x1b]0;" not in paper.getvalue()
    assert ("\x1b[1;31m" in paper.getvalue()) is terminal


def test_words_are_no_markup() -> None:
    """What a server calls itself neither colours nor links nor fails a line of the run."""
    paper = StringIO()
    _say(QuietConsole(file=paper, width=200), "removed [/red][link=http://x]:skull: from [bold]")

    assert paper.getvalue() == "removed [/red][link=http://x]:skull: from [bold]\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_log_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool) -> None:
    """On a terminal, and as JSON in a pipe: one event is one line, whatever its words hold."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    log_to_stderr()
    try:
        structlog.get_logger().warning("seen", explanation=f"{EVIL}\n2026-01-01 [info] forged")
    finally:
        structlog.reset_defaults()

    said = capsys.readouterr().err
    assert "\x1b[2J" not in said
    assert "\x1b]0;" not in said
    assert [mark for mark in steers(said) if mark != "\x1b"] == []
    assert len(said.strip("\n").split("\n")) == 1


def test_a_journal_line() -> None:
    """It is printable ASCII: whoever reads a journal with ``tail`` is safe, and no value forges a line."""
    record = FaultHit(fault="f", at=1.0, listener="a", detail=f"{EVIL}\n{{}}")
    line = to_line(record)

    assert line.count(b"\n") == 1
    assert steers(line.decode("ascii")) in ([], ["\x7f"])
    assert from_line(line) == record
    assert json.loads(line)["detail"] == record.detail


def test_a_junit_file() -> None:
    """It stays XML that a pipeline can read."""
    finding = Finding(kind="error", sentence=f"no answer: {EVIL}", about=())
    drill = _drill()
    broken = {"exit_code": 5, "headline": f"broken: {EVIL}", "findings": (finding,)}
    verdict = judge(drill.journal(), drill.claims).model_copy(update=broken)
    text = junit_xml(verdict)

    assert steers(text) == []
    assert "broken: " in ET.tostring(ET.fromstring(text), encoding="unicode")  # noqa: S314 - our own file


def test_the_mistakes_of_a_file(tmp_path: pytest.TempPathFactory) -> None:
    """Keys and values of somebody else's file are shown, and do not paint over the verdict of a pipeline."""
    path = tmp_path / "evil.yaml"  # type: ignore[operator]
    path.write_text('experiment: v1\n"\\e[2Jheld": 1\nname: "\\e]0;x\\a"\n', encoding="utf-8")
    ended = chaosproxy("run", str(path))

    assert ended.code == 2
    assert steers(ended.err) == []
    assert "[2Jheld: unknown key" in ended.err


async def test_what_an_upstream_calls_its_status() -> None:
    """A reason with escapes passes to the client as it came, and stands in no line of ours."""
    answer = b"HTTP/1.1 500 \x1b[2Jfine\x9b\r\nContent-Length: 0\r\n\r\n".replace(b"\x9b", "\x9b".encode())
    async with bench(answers(answer)) as at:
        got = await call(at.url, ask())
        record = await at.journal.exchange()

    assert got.head.startswith("HTTP/1.1 500 \x1b[2Jfine")
    assert isinstance(record, ExchangeRecord)
    assert steers(Narrator().tell(record) or "") == []
    assert b"fine" not in to_line(record)
