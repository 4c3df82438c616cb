"""docs/reference/ says what the models say."""

from __future__ import annotations

import re

import pytest

from chaosproxy.cli.app import app
from chaosproxy.faults import CATALOGUE
from scripts.generate_reference import COMMANDS, DIRECTORY, pages


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_reference_is_up_to_date(name: str) -> None:
    """A change of a model comes with its page."""
    file = DIRECTORY / name

    written = file.read_text(encoding="utf-8") if file.exists() else ""
    assert written == pages()[name], f"docs/reference/{name} is not up to date: run `make reference` and commit it"


def test_every_page_is_made() -> None:
    """No page without its source."""
    assert sorted(file.name for file in DIRECTORY.glob("*.md")) == sorted(pages())


def test_every_link_inside_a_page_leads_somewhere() -> None:
    """Anchors are those that GitHub makes of the headings."""
    for name, text in pages().items():
        anchors = {
            re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower()
            for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors, name


def test_every_fault_has_a_section() -> None:
    """With its name as heading."""
    headings = set(re.findall(r"^## (.+)$", pages()["faults.md"], re.MULTILINE))

    assert headings == {fault.type for fault in CATALOGUE}


def test_every_command_has_a_section() -> None:
    """Those of the app, and those of its groups."""
    single = {(command.name or command.callback.__name__,) for command in app.registered_commands if command.callback}
    grouped = {
        (group.name or "", command.name or command.callback.__name__)
        for group in app.registered_groups
        if group.typer_instance is not None
        for command in group.typer_instance.registered_commands
        if command.callback is not None
    }

    assert set(COMMANDS) == single | grouped
