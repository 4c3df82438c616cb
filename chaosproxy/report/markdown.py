"""A verdict as Markdown, short enough for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chaosproxy.errors import printable
from chaosproxy.report.console import margin_words, planned_words, word
from chaosproxy.steady_state.findings import FaultAccount, Judged, Verdict
from chaosproxy.steady_state.observation import State
from chaosproxy.steady_state.vocabulary import Unit, display

FINDINGS_MAX = 10
_SIGNS = {State.HELD: "✅", State.DEVIATED: "❌", State.INCONCLUSIVE: "❔"}
_MEANS_SOMETHING = re.compile(r"([\\`*_{}\[\]<>#|~@!&])")


def markdown(verdict: Verdict) -> str:
    """Word, reason, expectations, faults, what was learned, and how to do it again; with a final newline."""
    sign = _SIGNS[verdict.verdict] if verdict.exit_code in (0, 1, 3) else "❌"
    parts = [
        f"### {sign} {word(verdict)}: {_text(verdict.name)}",
        _text(verdict.headline),
        _table(("", "expected", "observed", "margin", "samples", "window"), map(_expectation, verdict.expectations)),
        _table(("fault", "type", "planned", "hits", "failover", "recovery"), map(_fault, verdict.faults)),
        "\n".join(_findings(verdict)),
        _code(verdict.replay),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _expectation(row: Judged) -> tuple[str, ...]:
    cohort = f" ({row.cohort})" if row.cohort else ""
    samples = str(row.samples) if row.samples else ""
    window = _text(f"{row.window}{cohort}")
    state = f"{_SIGNS[row.state]} {row.state.value}"
    return state, _text(row.text), _text(row.observed), margin_words(row), samples, window


def _fault(account: FaultAccount) -> tuple[str, ...]:
    times = (
        "" if value is None else display(value, Unit.SECONDS) for value in (account.failover_s, account.recovery_s)
    )
    lack = "too few" if account.load_hits < account.min_hits else "not as planned"
    hits = str(account.hits) if account.enough else f"{account.hits} ({lack})"
    return _text(account.id), _text(account.type), planned_words(account), hits, *times


def _findings(verdict: Verdict) -> Iterator[str]:
    others = [finding for finding in verdict.findings if finding.sentence not in verdict.headline]
    for finding in others[:FINDINGS_MAX]:
        yield f"- {finding.kind}: {_text(finding.sentence)}"
    if len(others) > FINDINGS_MAX:
        yield f"- and {len(others) - FINDINGS_MAX} more"


def _table(headings: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}", *lines]) if lines else ""


def _text(text: str) -> str:
    """As plain text: no tag, no link, no mention, no second line."""
    return _MEANS_SOMETHING.sub(r"\\\1", printable(" ".join(text.split())))


def _code(text: str | None) -> str:
    """In a code span, which a backtick would end."""
    shown = "" if text is None else printable(text).replace("`", "'")
    return f"Again with: `{shown}`" if shown else ""
