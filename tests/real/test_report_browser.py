"""The report in a real browser: what a person opens, with the browser's own word on what it ran and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosproxy.report.source import Beside, page_of_journal
from chaosproxy.steady_state.verdict import judge
from tests.report.page.test_render import _hostile, _hostile_verdict
from tests.steady_state.drills import CUT, ORIGIN, Drill, cut_edge, silent_edge

pytest.importorskip("playwright", reason="playwright is not installed")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ViewportSize

from tests.real.browser_kit import Watched, chromium  # noqa: F401 - the fixture `browser`

pytestmark = [pytest.mark.real, pytest.mark.slow]

_WIDE: ViewportSize = {"width": 1200, "height": 900}


class Opened(Watched):
    """A page, and all that it said and asked for."""

    def open(self, file: Path) -> None:
        """Open a report and wait for its timeline."""
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-drawn]", state="attached")

    def draw_all(self) -> None:
        """Scroll to every plot, as a reader does."""
        for plot in self.page.query_selector_all(".plot"):
            plot.evaluate("plot => plot.scrollIntoView()")
            self.page.wait_for_function("plot => plot.querySelector('.main-svg')", arg=plot)


@pytest.fixture(params=["light", "dark"])
def opened(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """An empty page in a colour scheme."""
    page = browser.new_page(viewport=_WIDE, color_scheme=request.param)
    yield Opened(page)
    page.close()


def _drill() -> Drill:
    """The primary goes dark, the secondary serves; one call is deceived, others say that they failed."""
    drill = Drill()
    drill.fault("dark", "partition", "primary", at=20, lasts=20)
    drill.traffic(0, 20)
    for number in range(19):
        at = 20.5 + number
        silent = silent_edge(ORIGIN + at, ORIGIN + at + 1)
        drill.exchange(f"moved-{number}", "primary", at, hit="dark", asked_at=None, sent=silent)
        drill.exchange(f"moved-{number}", "secondary", at + 1)
        drill.call(f"moved-{number}", at, took=2.0, gaps_ms=[10, 20, 1000])
    drill.exchange("lied", "secondary", 25.2, sent=cut_edge(ORIGIN + 25.2))
    drill.call("lied", 25.2, CUT)
    drill.call("told", 26.2, CUT, error="incomplete")
    drill.traffic(40, 60)
    drill.expect("silent_truncated == 0")
    drill.expect("recovery_time(dark) <= 5s")
    return drill


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A report of that drill."""
    drill = _drill()
    path = tmp_path / "report.html"
    path.write_text(page_of_journal(drill.journal(), Beside(judge(drill.journal(), drill.claims))), encoding="utf-8")
    return path


def test_it_opens_without_a_word_and_asks_for_nothing(opened: Opened, report: Path) -> None:
    """All plots are drawn, nothing is refused, and the page is the only request."""
    opened.open(report)
    opened.draw_all()

    assert opened.said == []
    assert opened.asked == [report.as_uri()]


def test_everyone_can_read_it(opened: Opened, report: Path) -> None:
    """Axe finds no fault: contrast, labels, headings, what the keyboard reaches."""
    opened.open(report)
    opened.draw_all()

    found = Axe().run(opened.page)

    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found.response["violations"]] == []


def test_a_link_leads_to_the_violating_call(opened: Opened, report: Path) -> None:
    """From the expectation to the call, and to what it cost."""
    opened.open(report)

    opened.page.click("#expectations a:text-is('lied')")

    target = opened.page.locator("article:target")
    assert target.is_visible()
    assert "silent_truncated" in target.inner_text()
    assert "secondary" in target.inner_text()


def test_the_point_of_a_good_call_leads_to_it(opened: Opened, report: Path) -> None:
    """Good calls are drawn as one path; each can still be pointed at, and clicked where the page names it."""
    opened.open(report)
    opened.page.locator("#plot-timeline .nsewdrag[data-subplot='xy3']").evaluate("area => area.scrollIntoView()")
    x, y = opened.page.evaluate(
        """() => {
            const plot = document.getElementById("plot-timeline"), box = plot.getBoundingClientRect();
            const { xaxis: x, yaxis3: y } = plot._fullLayout;
            return [box.left + x._offset + x.d2p(20.5), box.top + y._offset + y.d2p(2)];
        }"""
    )

    opened.page.mouse.move(x - 30, y)
    opened.page.mouse.move(x, y, steps=5)
    opened.page.wait_for_selector("#plot-timeline .hovertext:has-text('at 20.50 s, took 2.000 s: ok')")
    opened.page.mouse.click(x, y)
    opened.page.wait_for_selector("article:target")

    assert "moved-0" in opened.page.locator("article:target").inner_text()


def test_the_timeline_zooms_and_comes_back(opened: Opened, report: Path) -> None:
    """Drag over a span; the button shows the whole run again."""
    opened.open(report)
    shown = "document.getElementById('plot-timeline').layout.xaxis.range.map(Number)"
    whole = opened.page.evaluate(shown)
    calls = opened.page.locator("#plot-timeline .nsewdrag[data-subplot='xy3']")
    calls.evaluate("area => area.scrollIntoView()")
    area = calls.bounding_box()
    assert area is not None

    opened.page.mouse.move(area["x"] + 0.3 * area["width"], area["y"] + area["height"] / 2)
    opened.page.mouse.down()
    opened.page.mouse.move(area["x"] + 0.6 * area["width"], area["y"] + area["height"] / 2, steps=5)
    opened.page.mouse.up()
    opened.page.wait_for_function(f"() => {shown}[0] > {whole[0] + 1}")
    zoomed = opened.page.evaluate(shown)
    opened.page.click("#reset")
    opened.page.wait_for_function(f"() => {shown}[0] < {whole[0] + 0.01}")

    assert whole[0] < zoomed[0] < zoomed[1] < whole[1]
    assert opened.page.evaluate(shown) == pytest.approx(whole)


def test_nothing_that_a_stranger_wrote_runs(opened: Opened, tmp_path: Path) -> None:
    """Neither from the journal nor from the verdict, neither in tables nor in plots."""
    drill, path = _drill(), tmp_path / "hostile.html"
    verdict = _hostile_verdict(judge(drill.journal(), drill.claims))
    path.write_text(page_of_journal(_hostile(drill.journal()), Beside(verdict)), encoding="utf-8")

    opened.open(path)
    opened.draw_all()

    assert opened.said == []
    assert opened.page.locator("img").count() == 0
    assert "<img src=x onerror=alert(1)>" in opened.page.locator("#plot-timeline").inner_text()


def test_the_browser_refuses_what_the_policy_does_not_name(opened: Opened, report: Path) -> None:
    """A script that gets in somehow does not run, no string is run as code, and nothing is fetched."""
    opened.open(report)
    refused = opened.page.evaluate(
        """async () => {
            const refused = [];
            document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            await new Promise((resolve) => setTimeout(resolve, 0)); // the debugger itself is above the policy
            let evaluated = "ran";
            try { evaluated = String(Function("return 1")()); } catch (error) { evaluated = error.name; }
            const fetched = await fetch("http://127.0.0.1:9/").then(() => "fetched", (error) => error.name);
            await new Promise((resolve) => setTimeout(resolve, 0));
            return {ran: window.ran === true, evaluated, fetched, refused};
        }"""
    )

    assert refused["ran"] is False
    assert refused["evaluated"] == "EvalError"
    assert refused["fetched"] == "TypeError"
    assert {"script-src-elem", "script-src", "connect-src"} <= set(refused["refused"])


def test_a_phone_shows_it_without_sideways_scrolling(browser: Browser, report: Path) -> None:
    """Wide tables scroll within themselves."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    Opened(page).open(report)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
