"""Pictures of a real run's report for the documentation: `make screenshots`. Needs a Chromium on this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
PICTURES: tuple[tuple[str, Literal["light", "dark"], int, int], ...] = (
    ("report-light", "light", 1200, 2000),
    ("report-dark", "dark", 1200, 2000),
    ("report-narrow", "light", 390, 2900),
)
"""Name, colour scheme, width and height in pixels."""
_PATIENCE_MS = 120_000


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
        _take(report, browser)


def _take(report: Path, browser: str) -> None:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for name, scheme, width, height in PICTURES:
            page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(report.as_uri())
            page.wait_for_selector("html[data-drawn]", state="attached", timeout=_PATIENCE_MS)
            page.screenshot(path=IMAGES / f"{name}.png")
            print(IMAGES / f"{name}.png")
            page.close()
        chromium.close()


if __name__ == "__main__":
    main()
