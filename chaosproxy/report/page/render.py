"""Facts and verdict to HTML. Everything that a stranger may have written is escaped, and no script runs but two."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from chaosproxy import __version__
from chaosproxy.errors import ChaosError, printable
from chaosproxy.report.console import margin_words, planned_words, word
from chaosproxy.report.facts.words import clock, in_words, served_words
from chaosproxy.report.page.plots import plots_json
from chaosproxy.steady_state.vocabulary import Unit, display

if TYPE_CHECKING:
    from chaosproxy.report.comparison import Comparison
    from chaosproxy.report.facts.gather import Facts
    from chaosproxy.report.facts.outline import Outline
    from chaosproxy.report.mock_live import MockAndLive
    from chaosproxy.steady_state.findings import Verdict

_FOLDER = Path(__file__).parent


def report_html(
    outline: Outline,
    facts: Facts,
    verdict: Verdict | None,
    comparison: Comparison | None = None,
    pair: MockAndLive | None = None,
) -> str:
    """The page. Without a verdict it shows what happened and judges nothing."""
    scripts = [plotly_script(), (_FOLDER / "report.js").read_text("utf-8")]
    look = files("chaosproxy.control.page") / "look.css"  # what it shares with the live page
    style = look.read_text("utf-8") + (_FOLDER / "report.css").read_text("utf-8")
    anchors = {call.id: f"call-{number}" for number, call in enumerate(facts.calls, start=1)}
    opened = outline.opened
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            verdict=verdict,
            word=None if verdict is None else word(verdict),
            facts=facts,
            outline=outline,
            comparison=comparison,
            pair=pair,
            anchors=anchors,
            accounts={} if verdict is None else {account.id: account for account in verdict.faults},
            stories=[(effect.id, in_words(effect, verdict)) for effect in facts.effects],
            when=None if opened is None else _date(opened.wall + outline.first_at - opened.mono),
            policy=_policy(scripts),
            style=Markup(style),  # noqa: S704 - a file of ours
            scripts=[Markup(script) for script in scripts],  # noqa: S704 - ours, and that of plotly
            data=Markup(plots_json(facts, verdict, anchors)),  # noqa: S704 - holds no < at all
            version=__version__,
        )
    )


def plotly_script() -> str:
    """The script in plotly's package, which need not be imported for it. Raises ChaosError when it is not there."""
    spec = find_spec("plotly")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.exists():
            return path.read_text("utf-8")
    raise ChaosError("the package plotly is not installed as it should be: it has no plotly.min.js")


def _policy(scripts: list[str]) -> str:
    """Nothing from anywhere, no script but these, no eval. plotly sets styles, and draws heat maps as data."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        clock=_or_dash(clock),
        seconds=_or_dash(lambda value: display(value, Unit.SECONDS)),
        share=_or_dash(lambda value: display(value, Unit.SHARE)),
        number=_or_dash(lambda value: f"{value:,.10g}"),
        served=served_words,
        margin=margin_words,
        planned=planned_words,
    )
    return environment


def _shown(value: Any) -> Any:
    return printable(value) if type(value) is str else value


def _or_dash(words: Any) -> Any:
    return lambda value: "-" if value is None else words(value)


def _date(wall: float) -> str:
    return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d %H:%M:%S} UTC"
