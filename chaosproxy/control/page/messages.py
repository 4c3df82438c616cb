"""What the live page is told, twice a second: all that it shows, each time anew, so that nothing can be missed."""

from __future__ import annotations

from chaosproxy.control.messages import Message, Status


class Traffic(Message):
    """What has come through one listener since the proxy's start; the page makes rates of it."""

    is_tcp: bool
    """Whether it carries bytes and no requests."""
    opened: int
    """Requests (or connections) that came."""
    open: int
    """Of these, under way."""
    open_streams: int
    """Of these, streams."""
    failed: int
    """Requests that did not end well for the client."""
    asked: int
    """Requests that were brought to the upstream; connections that reached it."""
    upstream_failed: int
    """Of these, failed there."""
    bytes_up: int = 0
    """To the upstream, of connections."""
    bytes_down: int = 0
    """To the client, of connections."""


class OpenStream(Message):
    """A request under way, as its client sees it."""

    id: str
    listener: str
    what: str
    """Method, path and model."""
    stream: bool
    status: int | None
    age_s: float
    silent_s: float
    """Since the newest piece of the answer, or since the request."""
    gap_s: float | None
    """Between that piece and the one before; null: nothing came yet."""
    tokens: int
    bytes: int
    faults: tuple[str, ...]
    """At work in it."""


class Line(Message):
    """Something that happened."""

    number: int
    """Ascending."""
    at: float
    """On the proxy's clock."""
    kind: str
    """``fault``, ``exchange`` or ``trouble``."""
    text: str
    """In words."""


class Trial(Message):
    """An experiment that was started from the page."""

    name: str
    """Its file."""
    began: float
    """On the proxy's clock."""
    stopping: bool
    """Whether it was told to end early."""
    exit_code: int | None
    """Null while it goes on."""
    verdict: str
    """The exit code in a word."""
    said: tuple[str, ...]
    """Its newest lines."""


class Experiments(Message):
    """What can be started from the page."""

    files: tuple[str, ...]
    """Their names."""
    trial: Trial | None
    """The last one that was started."""


class View(Message):
    """All that the page shows."""

    status: Status
    traffic: dict[str, Traffic]
    """By listener."""
    streams: tuple[OpenStream, ...]
    """Those that were silent for longest."""
    lines: tuple[Line, ...]
    """The newest, oldest first."""
    experiments: Experiments | None = None
    """Null: the proxy was started without a folder of them."""
