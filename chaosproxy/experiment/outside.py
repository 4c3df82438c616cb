"""``control``, ``hooks`` and ``notify``: who is spared, what is done outside, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from chaosproxy.errors import BadValue
from chaosproxy.experiment.probe_kinds import Argv
from chaosproxy.experiment.section import Name, Section, is_url
from chaosproxy.plan.rule import Match
from chaosproxy.units import Duration

Event: TypeAlias = Literal["inject", "heal", "abort"]
"""A fault begins to act, ceases to act, the run is aborted."""


def _lasting(match: Match) -> Match:
    if match.counts_exchanges:
        raise BadValue("first, skip, nth and each count requests; a cohort is told by what stays: header, model, path")
    if not match.reads_request:
        raise BadValue("this would be every request; say which ones, such as {header: {x-chaos-group: b}}")
    return match


def _webhook(text: str) -> str:
    if not is_url(text):
        raise BadValue("expected an http or https URL")
    return text


class Control(Section):
    """The control cohort: calls like all others, that no fault hits."""

    match: Annotated[Match, AfterValidator(_lasting)]
    """Which requests belong to it, at our listeners and at the load: a gateway in between must pass on what tells them
    apart."""


class HookCommand(Section):
    """A program that ends by itself."""

    command: Argv
    """Program and arguments, no shell; ``${entry}``, ``${listener.NAME}`` and ``${run.id}`` may be part of them."""


class HookEntry(Section):
    """An action outside of chaosproxy, and how it is undone."""

    id: Name
    """Its name in reports. Default: hook, hook-2 ..."""
    at: Duration
    """When it is done; t = 0 is the end of the warm-up."""
    lasts: Annotated[Duration, Field(gt=0)] | None = None
    """How long until it is undone; without it, when no fault acts any more, before the quiet tail."""
    do: HookCommand
    """What is done. When it fails, the run ends with an error."""
    undo: HookCommand
    """What takes it back. It runs in any case once ``do`` was begun, even a failed one, so it must not mind that."""
    timeout: Annotated[Duration, Field(gt=0)] = 30.0
    """How long each of them may take before it is killed."""


class Notify(Section):
    """A webhook: it gets a POST with JSON."""

    webhook: Annotated[str, AfterValidator(_webhook)]
    """An http or https URL; all of it but the host is kept secret."""
    events: Annotated[tuple[Event, ...], Field(min_length=1)] = ("inject", "heal", "abort")
    """Of what it is told: a fault begins to act, ceases to act, the run is aborted."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Header fields of the request; their values are written nowhere."""
    timeout: Annotated[Duration, Field(gt=0, le=30)] = 5.0
    """How long one message may take; a run waits no longer than this for its last ones."""

    @property
    def host(self) -> str:
        """All that may be said about it."""
        return urlsplit(self.webhook).hostname or ""

    def secrets(self) -> Iterator[str]:
        """What must not be repeated anywhere."""
        url = urlsplit(self.webhook)
        yield from filter(None, (self.webhook, url.path.strip("/"), url.query, url.username, url.password))
        for value in self.headers.values():
            yield from (value, *value.split()[1:])
