"""The kinds of probes: their settings, one model each. How they look: chaosproxy/probes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chaosproxy.errors import BadValue
from chaosproxy.experiment.probe import Bound, BoundText, ProbeEntry
from chaosproxy.experiment.section import Name, Section, is_url
from chaosproxy.units import Duration, Flag

_PORT = Annotated[int, Field(ge=1, le=65535)]
_TARGET = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def _url(text: str) -> str:
    if "${" not in text and not is_url(text):
        raise BadValue("expected an http or https URL, such as http://127.0.0.1:8080/health")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadValue(f"not a regular expression: {error}") from None
    return text


def _address(text: str) -> str:
    if "${" in text or is_url(text):
        return text
    match = _TARGET.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise BadValue("expected HOST:PORT, such as 127.0.0.1:6379")
    return text


def _function(text: str) -> str:
    if _FUNCTION.fullmatch(text) is None:
        raise BadValue(f"expected MODULE:FUNCTION, such as checks.gateway:is_ready, got {text!r}")
    return text


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


def _json_path(paths: dict[str, str]) -> dict[str, str]:
    for path in paths:
        if not all(path.removeprefix("$.").split(".")):
            raise BadValue(f"a path in JSON is keys and numbers with dots between them, data.0.status, got {path!r}")
    return paths


Url: TypeAlias = Annotated[str, AfterValidator(_url)]
Regex: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_pattern)]
Argv: TypeAlias = Annotated[tuple[str, ...], Field(min_length=1)]


class HttpExpect(Section):
    """What an answer must be."""

    status: Annotated[
        tuple[Annotated[int, Field(ge=100, le=599)], ...],
        BeforeValidator(_listed, json_schema_input_type=int | list[int]),
    ] = ()
    """Its status, or several. Default: any below 400."""
    body: Regex | None = None
    """A regular expression that is found somewhere in it."""
    json_: Annotated[dict[str, str], Field(alias="json"), AfterValidator(_json_path)] = Field(default_factory=dict)
    """Values in its JSON by their paths: ``{data.0.status: ready}``."""
    within: Annotated[Duration, Field(gt=0)] | None = None
    """How long the whole answer may take. Default: ``timeout``."""


class HttpProbe(ProbeEntry):
    """An HTTP request. Its value: seconds to the end of the answer, or a number in its JSON.

    A connection that is refused, reset or silent for too long is a failure: it was looked at. It could not be looked at
    when the host's name cannot be resolved, or when this machine has no socket left.
    """

    kind: ClassVar[str] = "http"
    overdue: ClassVar[Literal["failed", "unknown"]] = "failed"

    http: Url
    """A URL; ``${entry}`` and ``${listener.NAME}`` may be part of it. A redirect is not followed."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """How it is asked."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Header fields of the request; their values are written nowhere."""
    value: Annotated[str, Field(min_length=1)] | None = None
    """The path of a number in its JSON, such as ``queue.depth``, that is its value instead."""
    expect: HttpExpect = HttpExpect()
    """What the answer must be."""


class TcpExpect(Section):
    """What a connection must be."""

    within: Annotated[Duration, Field(gt=0)] | None = None
    """How long it may take to be accepted. Default: ``timeout``."""


class TcpProbe(ProbeEntry):
    """A TCP connection, closed at once. Its value: seconds until it was accepted.

    One that is refused or not accepted in time is a failure; a name that cannot be resolved could not be looked at.
    """

    kind: ClassVar[str] = "tcp"
    overdue: ClassVar[Literal["failed", "unknown"]] = "failed"

    tcp: Annotated[str, AfterValidator(_address)]
    """HOST:PORT, or a URL that has both, such as ``${entry}``."""
    expect: TcpExpect = TcpExpect()
    """What the connection must be."""

    def hosts(self) -> Iterator[tuple[str, str]]:
        """Its address, as a URL."""
        yield "tcp", self.tcp if is_url(self.tcp) else f"http://{self.tcp}"


class PrometheusProbe(ProbeEntry):
    """A query at a Prometheus server. Its value: the result, which must be one number.

    Whatever keeps the number from being known could not be looked at: a server that cannot be reached or answers with
    an error, no data, several series, NaN.
    """

    kind: ClassVar[str] = "prometheus"

    prometheus: Url
    """The server's URL, without /api."""
    query: Annotated[str, Field(min_length=1)]
    """PromQL with a scalar or a single series as its result."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Header fields of the request; their values are written nowhere."""
    expect: BoundText | None = None
    """What the number must be; without it, any number will do."""


class CommandExpect(Section):
    """How a program must end."""

    exit: Annotated[int, Field(ge=0, le=255)] = 0
    """Its exit code."""
    stdout: Regex | None = None
    """A regular expression that is found somewhere in its output."""
    value: BoundText | None = None
    """What the first number in its output must be."""


class CommandProbe(ProbeEntry):
    """A program that ends by itself; it is killed, with all that it started, at ``timeout``.

    Another exit code, other output or no end in time are failures; a program that cannot be started could not look.
    """

    kind: ClassVar[str] = "command"
    overdue: ClassVar[Literal["failed", "unknown"]] = "failed"

    command: Argv
    """Program and arguments, no shell."""
    value: Flag = False
    """``true``: the first number in its output is its value."""
    expect: CommandExpect = CommandExpect()
    """How it must end."""

    @property
    def gives_value(self) -> bool:
        """When it was asked for."""
        return self.value or self.expect.value is not None


class PythonProbe(ProbeEntry):
    """A function without arguments, sync or async, in a thread of its own.

    It returns a bool, or a number, which is its value. AssertionError is a failure; any other exception, another type,
    or no end in time means that it could not look.
    """

    kind: ClassVar[str] = "python"

    python: Annotated[str, AfterValidator(_function)]
    """MODULE:FUNCTION, imported as from the current folder."""
    expect: BoundText | None = None
    """What the number must be; without it, any number will do."""


class LogProbe(ProbeEntry):
    """Lines that match a pattern, of those that were written since the run began. Its value: how many there are so far.

    A file that does not exist, or a program that cannot be run, could not be looked at.
    """

    kind: ClassVar[str] = "log"

    log: Annotated[str, Field(min_length=1)] | Argv
    """A file, or a program and its arguments (a list) that prints the whole log: ``[docker, logs, gateway]``."""
    pattern: Regex
    """A regular expression that is looked for in each line."""
    expect: BoundText = Bound.parse("== 0")
    """How many lines may match. Default: none."""


class ProcessTarget(Section):
    """Which process."""

    pid: Annotated[int, Field(ge=1)] | None = None
    """By its number."""
    port: _PORT | None = None
    """The one that listens at this TCP port of this machine."""
    system: Name | None = None
    """One that the run has started, by its name in ``systems``."""
    container: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] | None = None
    """The first of a container on this machine, by the container's name or id; docker or podman is asked for it."""

    @model_validator(mode="after")
    def _one(self) -> ProcessTarget:
        if len(self.model_fields_set) != 1:
            raise BadValue("write which process: one of pid, port, system and container")
        return self


class ProcessExpect(Section):
    """What a process, its children included, may use."""

    memory_mb: BoundText | None = None
    """Resident memory in MB (10^6 bytes)."""
    cpu_percent: BoundText | None = None
    """Of one core, since the look before."""


class ProcessProbe(ProbeEntry):
    """A process and its children, read from /proc. One that is gone is a failure.

    Elsewhere than on Linux, for the processes of another user, and when no engine that knows containers answers, it
    could not be looked at.
    """

    kind: ClassVar[str] = "process"

    process: ProcessTarget
    """Which one: ``{pid: 123}``, ``{port: 8080}``, ``{system: gateway}`` or ``{container: gateway}``."""
    value: Literal["memory_mb", "cpu_percent"] = "memory_mb"
    """What its value is."""
    expect: ProcessExpect = ProcessExpect()
    """What it may use."""


class DiskExpect(Section):
    """How much room there must be."""

    free_mb: BoundText | None = None
    """For everybody, in MB (10^6 bytes)."""
    free_percent: BoundText | None = None
    """Of the whole."""


class DiskProbe(ProbeEntry):
    """The room on a file system. A path that does not exist could not be looked at."""

    kind: ClassVar[str] = "disk"

    disk: Annotated[str, Field(min_length=1)]
    """Any path on it."""
    value: Literal["free_mb", "free_percent"] = "free_mb"
    """What its value is."""
    expect: DiskExpect = DiskExpect()
    """How much room there must be."""
