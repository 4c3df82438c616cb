"""The live page over HTTP: who gets what, with which headers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chaosproxy.control.page import site
from chaosproxy.control.page.site import OPEN_PATHS, POLICY
from tests.control.page.live_plane import live_plane
from tests.functional.wire_kit import answers, ask, call, plain

TOKEN = "a-token-for-this-test"
FOLDER = Path(site.__file__).parent


async def test_the_page_and_its_files_need_no_token_and_hold_nothing_of_the_proxy() -> None:
    """All that it shows comes later, over what needs the token."""
    async with live_plane(answers(plain(b"{}")), token=TOKEN) as here:
        for path in OPEN_PATHS:
            async with here.http.get(here.url + path) as answer:
                text = await answer.text()
                assert answer.status == 200, path
                assert answer.headers["Content-Security-Policy"] == POLICY
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Cache-Control"] == "no-store"
            assert not any(url in text for url in here.proxy.urls.values())
        for path in ("/page/views", "/page/catalogue", "/v1/status"):
            async with here.http.get(here.url + path) as answer:
                assert answer.status == 401, path
        async with here.http.get(f"{here.url}/page/catalogue", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == 200


async def test_the_token_in_a_cookie_or_an_address_does_not_count() -> None:
    """A browser would bring either along without being asked, to other ports of the host, too."""
    async with live_plane(answers(plain(b"{}")), token=TOKEN) as here:
        cookies = {"token": TOKEN, "session": TOKEN, "Authorization": f"Bearer {TOKEN}"}
        async with here.http.get(f"{here.url}/page/views?token={TOKEN}", cookies=cookies) as answer:
            assert answer.status == 401


async def test_no_page_of_another_origin_is_answered() -> None:
    """Neither with what it reads nor with what it changes, and nobody is told that it might."""
    async with live_plane(answers(plain(b"{}"))) as here:
        for method, path in (("GET", "/page/views"), ("PUT", "/v1/lock"), ("GET", "/")):
            headers = {"Origin": "http://elsewhere.example"}
            async with here.http.request(method, here.url + path, headers=headers) as answer:
                assert answer.status == 403
                assert "Access-Control-Allow-Origin" not in answer.headers
        async with here.http.get(f"{here.url}/page/views", headers={"Host": "rebound.example"}) as answer:
            assert answer.status == 403
        assert here.desk.halted == ""


async def test_it_is_not_on_the_ports_of_the_traffic() -> None:
    """There all paths are the upstream's."""
    async with live_plane(answers(plain(b"from the upstream"))) as here:
        answer = await call(here.proxy.urls["a"], ask().replace(b"/v1/chat/completions", b"/page/views"))

    assert answer.body == b"from the upstream"


async def test_only_so_many_pages_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told why not; one that leaves makes room."""
    monkeypatch.setattr(site, "PAGES_MAX", 1)
    async with live_plane(answers(plain(b"{}"))) as here:
        async with here.http.get(f"{here.url}/page/views") as first:
            await first.content.readline()
            async with here.http.get(f"{here.url}/page/views") as second:
                assert second.status == 503
                assert "1 pages watch" in (await second.json())["error"]
            first.close()
        while True:
            async with here.http.get(f"{here.url}/page/views") as third:
                if third.status == 200:
                    return


async def test_without_a_folder_nothing_can_be_started() -> None:
    """There is no such path."""
    async with (
        live_plane(answers(plain(b"{}"))) as here,
        here.http.post(f"{here.url}/page/experiments/x.yaml") as answer,
    ):
        assert answer.status in (404, 405)


def test_nothing_on_it_is_inline_or_from_elsewhere() -> None:
    """No script, style or handler in the markup, no address of another host in any file, no sink that reads markup."""
    files = {
        path.name: path.read_text("utf-8") for path in FOLDER.iterdir() if path.suffix in (".js", ".css", ".jinja")
    }
    page = files["live.html.jinja"]

    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page) == []
    for name, text in files.items():
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == [], name
        assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", text) == [], name
