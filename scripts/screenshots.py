"""Pictures for the documentation, of a real run's report and of the live page: `make screenshots`. Needs a Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from scripts.live_scene import live_scene

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
PICTURES: tuple[tuple[str, Literal["light", "dark"], int, int], ...] = (
    ("report-light", "light", 1200, 2000),
    ("report-dark", "dark", 1200, 2000),
    ("report-narrow", "light", 390, 2900),
)
"""Name, colour scheme, width and height in pixels."""
LIVE_PICTURES: tuple[tuple[str, Literal["light", "dark"], int, int], ...] = (
    ("live-light", "light", 1200, 2250),
    ("live-dark", "dark", 1200, 2250),
    ("live-narrow", "light", 390, 2300),
)
_PATIENCE_MS = 120_000
_BEFORE_MS = 20_000
"""Traffic without a fault, which the curves show."""
_ACTING_MS = 9_000


def main() -> None:
    """Run the first drill against a naive gateway, and take the pictures of its report."""
    browser = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit("screenshots: no Chromium on this machine (Debian: apt-get install chromium)")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        drill = [sys.executable, "-m", "chaosproxy", "run", "first-drill", "-D", "profile=naive"]
        subprocess.run(drill, cwd=folder, check=False, stdout=subprocess.DEVNULL, timeout=300)  # noqa: S603 - ours
        (report,) = Path(folder).glob("out/*/report.html")
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            _take_report(report, chromium)
            with live_scene(Path(folder)) as address:
                _take_live(address, chromium)
            chromium.close()


def _take_report(report: Path, chromium: Browser) -> None:
    for name, scheme, width, height in PICTURES:
        page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto(report.as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached", timeout=_PATIENCE_MS)
        _keep(page, name)
        page.close()


def _take_live(address: str, chromium: Browser) -> None:
    """In the middle of the experiment that the page on game days shows, while its first fault acts."""
    pages = []
    for name, scheme, width, height in LIVE_PICTURES:
        page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(address)
        page.wait_for_selector("html[data-shown]", state="attached")
        page.select_option("#fault", "stream.truncate")
        pages.append((name, page))
    first = pages[0][1]
    first.wait_for_timeout(_BEFORE_MS)
    first.click("#start button[type=submit]")
    first.wait_for_selector(".band.acting", state="attached")
    first.wait_for_timeout(_ACTING_MS)
    for name, page in pages:
        _keep(page, name)
        page.close()


def _keep(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png")
    print(IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
