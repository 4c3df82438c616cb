"""The live page in a real browser, on a real proxy with real traffic: what somebody does on a game day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosproxy.plan.flat import parse_flat
from tests.real.live_kit import Chain, Traffic, chain, traffic

pytest.importorskip("playwright", reason="playwright is not installed")

from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.real.browser_kit import Watched, chromium  # noqa: F401 - the fixture `browser`

pytestmark = [pytest.mark.real, pytest.mark.slow]

TOKEN = "a-token-for-the-game-day"
HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\x1b[31m"
EXPERIMENT = {
    "experiment": "v1",
    "name": "cut-primary",
    "question": "Do clients notice cut streams?",
    "topology": {
        "entry": "${listener.primary}",
        "backends": {"primary": {"listen": "127.0.0.1:0", "upstream": "http://127.0.0.1:1"}},
    },
    "load": {"id": "chat", "arrival": {"rate": "5/s"}, "request": {"timeout": "5s"}},
    "timeline": {"warmup": "500ms", "lasts": "60s"},
    "faults": [{"id": "cut", "target": "primary", "at": "1s", "do": {"type": "stream.truncate", "where": "token:3"}}],
    "hypothesis": ["success >= 0%"],
    "abort": ["elapsed > 5m", {"when": "error_rate > 99%", "for": "60s"}],
}


class Live(Watched):
    """The page, and all that it said and asked for."""

    def open(self, url: str) -> None:
        """Open it and wait for the first view."""
        self.page.goto(url)
        self.page.wait_for_selector("html[data-shown]", state="attached")

    def inject(self, fault: str, listener: str, **fields: str) -> None:
        """Fill in the form and send it; ``fields`` are ids of inputs."""
        self.page.select_option("#fault", fault)
        for name, value in fields.items():
            self.page.fill(f"#{name}", value)
        self.page.check(f"input[name=target][value={listener}]")
        self.page.click("#inject button[type=submit]")

    def until(self, script: str) -> None:
        """Wait for something to be true on the page."""
        self.page.wait_for_function(f"() => {script}")  # the policy forbids what is no function


@pytest.fixture
def live(browser: Browser) -> Iterator[Live]:
    """A new page."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    yield Live(page)
    page.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain that no test here ends."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "experiments").mkdir()
    (folder / "experiments" / "cut-primary.yaml").write_text(json.dumps(EXPERIMENT))
    (folder / "experiments" / "wrong.yaml").write_text("experiment: v1\nnme: x\n")
    with chain(folder, "--experiments", "experiments") as made:
        yield made


@pytest.fixture(autouse=True)
def _left_alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test that failed has left on the shared chain is no other test's business."""
    yield
    if "shared" in request.fixturenames:
        made: Chain = request.getfixturevalue("shared")
        for path in ("page/experiments", "v1/owners", "v1/lock"):
            made.ask("DELETE", path)


@pytest.fixture
def calls(shared: Chain) -> Iterator[Traffic]:
    """Traffic to its primary."""
    with traffic(shared.url("primary")) as running:
        yield running


def _until_all(calls: Traffic, outcome: int | str) -> None:
    """Wait until all of the newest calls ended so."""
    calls.wait_for(lambda outcomes: len(outcomes) == outcomes.maxlen and set(outcomes) == {outcome})


def test_a_fault_breaks_real_traffic_and_stop_heals_it(live: Live, shared: Chain, calls: Traffic) -> None:
    """Inject, see calls fail and counters move, press stop, see it heal; nothing gets in until it is unlocked."""
    live.open(shared.page)
    _until_all(calls, 200)
    primary = live.page.locator("#routes > li[data-key=primary]")
    expect(primary.locator(".rate").first).not_to_have_text("0/s")

    live.inject("http.status", "primary", **{"set-status": "503"})
    expect(live.page.locator("#faults tr")).to_have_count(1)
    _until_all(calls, 503)
    live.until("Number(document.querySelector('#faults td:nth-child(3)').textContent) > 5")
    expect(primary.locator(".edge").first).to_contain_text("failing")
    expect(live.page.locator("#lines")).to_contain_text("http.status begins on primary")

    live.page.click("#stop")
    expect(live.page.locator("#halted")).to_contain_text("stopped on the live page")
    expect(live.page.locator("#faults tr")).to_have_count(0)
    _until_all(calls, 200)
    live.said.clear()  # the refusal that comes now is the browser's word on a status 423
    live.inject("http.status", "primary")
    expect(live.page.locator("#inject-refused")).to_contain_text("stopped on the live page")

    live.page.click("#unlock")
    expect(live.page.locator("#halted")).to_be_hidden()
    live.inject("http.status", "primary")
    expect(live.page.locator("#faults tr")).to_have_count(1)
    live.page.click("#faults button:text-is('Remove')")
    expect(live.page.locator("#faults tr")).to_have_count(0)
    assert live.page.evaluate("document.activeElement.id") == "h-faults"  # not lost with the button
    _until_all(calls, 200)


def test_it_says_nothing_and_asks_only_its_own_proxy(live: Live, shared: Chain, calls: Traffic) -> None:
    """No error on the console, no request off the page; the streams are listed with their gaps."""
    live.open(shared.page)
    live.inject("time.stall", "primary", lease="5s")
    row = live.page.locator("#streams-rows tr").first
    expect(row).to_contain_text("time.stall")
    expect(row.locator("td").nth(4)).to_have_text("5")
    live.until("document.querySelector('#streams-rows td:nth-child(7)').textContent.endsWith(' s')")
    expect(live.page.locator("#faults tr")).to_have_count(0)  # its lease is over

    assert live.said == []
    assert [url for url in live.asked if not url.startswith((shared.page, "data:"))] == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390)])
def test_everyone_can_use_it(browser: Browser, shared: Chain, calls: Traffic, scheme: str, width: int) -> None:
    """Axe finds nothing, with a fault, a mistake and a stop; a phone need not scroll sideways."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    live = Live(page)
    live.open(shared.page)
    live.inject("http.status", "primary")
    expect(page.locator("#faults tr")).to_have_count(1)
    live.inject("http.status", "secondary", **{"set-status": "9"})
    expect(page.locator("#set-status")).to_have_attribute("aria-invalid", "true")
    assert page.evaluate("document.activeElement.id") == "set-status"
    working = Axe().run(page)
    page.click("#stop")
    expect(page.locator("#unlock")).to_be_visible()
    stopped = Axe().run(page)
    page.click("#unlock")
    expect(page.locator("#unlock")).to_be_hidden()

    assert _found(working) == _found(stopped) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def _found(results: AxeResults) -> list[tuple[str, list[str]]]:
    """What is wrong, and where."""
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in results.response["violations"]]


def test_the_keyboard_does_all_of_it(live: Live, shared: Chain) -> None:
    """From the top: stop with the keyboard, unlock, and inject; each thing that has the focus shows it."""
    live.open(shared.page)
    page, reached = live.page, []
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break  # behind the last one
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.value"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", reached
    assert {"stop", "fault", "primary", "lease", "set-status", "experiment"} <= set(reached)

    page.focus("#stop")
    page.keyboard.press("Enter")
    expect(page.locator("#unlock")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#unlock")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "stop"


def test_an_experiment_is_started_watched_and_stopped(live: Live, shared: Chain) -> None:
    """Its timeline advances, its fault acts, and stopping heals it."""
    live.open(shared.page)
    live.page.select_option("#experiment", "cut-primary.yaml")
    live.page.click("#start button[type=submit]")
    expect(live.page.locator(".programme h3")).to_have_text("cut-primary")
    expect(live.page.locator(".programme ul")).to_contain_text("cut, stream.truncate on primary: acting")
    advanced = "Number(document.querySelector('.programme progress').value)"
    before = live.page.evaluate(advanced)
    live.until(f"{advanced} > {before + 1}")
    expect(live.page.locator("#trial-said")).to_contain_text("cut applied on primary")

    live.page.click("#end-run")
    expect(live.page.locator("#trial")).to_contain_text("stopped (exit code 130)")
    expect(live.page.locator(".programme")).to_have_count(0)
    expect(live.page.locator("#faults tr")).to_have_count(0)

    live.page.select_option("#experiment", "wrong.yaml")
    live.page.click("#start button[type=submit]")
    expect(live.page.locator("#trial")).to_contain_text("exit code 2")
    expect(live.page.locator("#trial-said")).to_contain_text("did you mean 'name'?")
    assert live.said == []


def test_the_big_stop_ends_a_run(live: Live, shared: Chain) -> None:
    """It is told that it was stopped, and aborts."""
    live.open(shared.page)
    live.page.select_option("#experiment", "cut-primary.yaml")
    live.page.click("#start button[type=submit]")
    expect(live.page.locator("#faults tr")).to_have_count(1)

    live.page.click("#stop")
    expect(live.page.locator("#trial")).to_contain_text("aborted (exit code 4)")
    live.page.click("#unlock")
    expect(live.page.locator("#unlock")).to_be_hidden()


@pytest.mark.parametrize("fault", ["http.rate_limit", "stream.duplicate", "toxic.latency", "json.rename_field"])
def test_what_the_form_shows_as_a_command_is_one(live: Live, shared: Chain, fault: str) -> None:
    """The line under the button can be read by the command line, and names what was filled in."""
    live.open(shared.page)
    options = live.page.evaluate("[...document.querySelectorAll('#fault option')].map((option) => option.value)")
    live.page.select_option("#fault", fault if fault in options else options[-1])
    live.page.check("input[name=target][value=secondary]")
    live.page.fill("#lease", "2m")
    words = live.page.inner_text("#command")

    assert words.startswith("chaosproxy inject ")
    assert words.endswith(" --on secondary --lease 2m")
    assert parse_flat(words.removeprefix("chaosproxy inject ").partition(" --on")[0])["do"]


def test_what_strangers_write_is_text(live: Live, shared: Chain) -> None:
    """A model's name, a path, a reason of a lock and the words of an error are shown, and do nothing."""
    with traffic(shared.url("primary")) as calls:
        calls.model = HOSTILE
        calls.path = "/v1/<script>alert(3)</script>"
        live.open(shared.page)
        live.inject("time.stall", "primary", lease="20s")
        shown = "alert(3)"
        expect(live.page.locator("#lines")).to_contain_text(shown)
    calls = Traffic(shared.url("primary"), model=HOSTILE)
    with traffic(calls.url, calls):
        expect(live.page.locator("#streams-rows tr").first).to_contain_text("<img src=x onerror=alert(1)>")
        expect(live.page.locator("#streams-rows tr").first).to_contain_text("\\x1b[31m")
        live.page.evaluate(
            """(why) => fetch("/v1/lock", {
                method: "PUT", headers: {"Content-Type": "application/json"}, body: JSON.stringify({why}),
            })""",
            HOSTILE,
        )
        expect(live.page.locator("#halted")).to_contain_text("<img src=x onerror=alert(1)>")
        live.page.click("#unlock")
        expect(live.page.locator("#unlock")).to_be_hidden()

    assert live.page.locator("img").count() == 0
    assert live.page.locator("body script").count() == 0
    assert [words for words in live.said if not words.startswith("error: Failed to load resource")] == []


def test_the_browser_refuses_what_the_policy_does_not_name(live: Live, shared: Chain) -> None:
    """No script of anybody else's, no markup out of text, no request elsewhere, no frame around it."""
    live.open(shared.page)
    refused = live.page.evaluate(
        """async () => {
            const tried = {};
            const script = document.createElement("script");
            try { script.textContent = "window.ran = true"; document.body.append(script); } catch { tried.text = true; }
            try { document.body.insertAdjacentHTML("beforeend", "<b>x</b>"); } catch { tried.markup = true; }
            await new Promise((resolve) => setTimeout(resolve, 0)); // the debugger itself is above the policy
            try { Function("return 1")(); } catch { tried.evaluated = true; }
            tried.fetched = await fetch("http://127.0.0.1:9/").then(() => false, () => true);
            return {...tried, ran: window.ran === true};
        }"""
    )

    assert refused == {"text": True, "markup": True, "evaluated": True, "fetched": True, "ran": False}


def test_it_loses_the_proxy_and_finds_it_again(live: Live, tmp_path: Path) -> None:
    """What is shown is said to be old; when the proxy is there again, it goes on by itself."""
    with chain(tmp_path) as own:
        live.open(own.page)
        before = live.page.get_attribute("html", "data-shown")
        own.proxy.end()
        expect(live.page.locator("#connection")).to_contain_text("trying again")

        own.again()
        expect(live.page.locator("#connection")).to_have_text("connected, chaosproxy 0.1.0")
        assert live.page.get_attribute("html", "data-shown") != before
        live.inject("http.status", "secondary")
        expect(live.page.locator("#faults tr")).to_have_count(1)


def test_with_a_token_nobody_gets_in_without(live: Live, tmp_path: Path) -> None:
    """A wrong one is refused in words; the right one opens, and is nowhere but in the page's memory."""
    (tmp_path / "token").write_text(TOKEN)
    with chain(tmp_path, "--token-file", "token") as own:
        live.page.goto(own.page)
        expect(live.page.locator("#login")).to_be_visible()
        expect(live.page.locator("#live")).to_be_hidden()
        assert own.url("primary") not in live.page.content()
        assert live.page.evaluate("fetch('/page/views').then((answer) => answer.status)") == 401
        assert live.page.evaluate("fetch('/page/catalogue').then((answer) => answer.status)") == 401
        assert _found(Axe().run(live.page)) == []

        live.page.fill("#token", "not-the-right-token-at-all")
        live.page.keyboard.press("Enter")
        expect(live.page.locator("#login-refused")).to_contain_text("not the token")
        expect(live.page.locator("#token")).to_be_focused()

        live.page.fill("#token", TOKEN)
        live.page.keyboard.press("Enter")
        expect(live.page.locator("#routes")).to_contain_text(own.url("primary"))
        live.inject("http.status", "secondary")
        expect(live.page.locator("#faults tr")).to_have_count(1)
        assert live.page.context.cookies() == []
        assert live.page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert not any(TOKEN in url for url in live.asked)
