"""The bugs of real clients that the page on the search tells of are found again, each as the same smallest plan."""

from __future__ import annotations

import pytest

from tests.real.search.finds import CLIENTS, Client, rows_of, table_rows

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore"),  # what clients warn of, and what they leave open, is their business
]


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    """One that can be asked here."""
    client = CLIENTS[request.param]
    if client.missing is not None:
        pytest.skip(client.missing)
    return client


def test_it_finds_what_the_page_says(client: Client) -> None:
    """From nothing, with the default strategy and no hints: flaw, plan, and after about how many
    examples: these are more with each fault that the catalogue gets.
    """
    title, found = client.title, client.finds()

    said = table_rows().get(title, [])
    words = f"if that is how it shall be, the page must say:\n{rows_of(title, found)}"
    assert {(each.flaw, each.plan): each.examples for each in said} == {
        (str(each.flaw), each.plan): pytest.approx(each.examples, rel=0.25, abs=20) for each in found
    }, words


def test_the_page_has_the_known_bugs() -> None:
    """Silent truncation, the crash at `retry:`, the hang on keep-alives, and the duplicate after a fallback."""
    told = {(title.split(" ")[0], find.flaw, find.plan) for title, finds in table_rows().items() for find in finds}

    assert {
        ("openai", "silent_truncated", "stream.truncate where=token:1"),
        ("openai", "rejected", "sse.field"),
        ("openai", "hung", "time.keepalive_only where=token:1"),
        ("litellm", "duplicated", "llm.error_event where=token:1"),
    } <= told
