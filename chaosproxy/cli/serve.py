"""``chaosproxy serve``: a proxy in front of one upstream, or of several from a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaosproxy.control.serve import Service
    from chaosproxy.journal.entry import Entry
    from chaosproxy.plan.rule import Rule


Listen = Annotated[
    str | None,
    typer.Option(
        envvar="CHAOSPROXY_LISTEN",
        metavar="HOST:PORT",
        help="Address; port 0 picks a free one. [default: 127.0.0.1:9001]",
    ),
]
Upstream = Annotated[
    str | None,
    typer.Option(
        envvar="CHAOSPROXY_UPSTREAM",
        metavar="URL",
        help="URL of the backend; a path in it comes first; or tcp://HOST:PORT.",
    ),
]
Faults = Annotated[
    list[str] | None,
    typer.Option(metavar="'NAME KEY=VALUE...'", help="Such as 'sse.drop each=7 share=20%'; repeat it."),
]
Profiles = Annotated[
    list[str] | None,
    typer.Option(
        metavar="'NAME [ID.]KEY=VALUE...'", help="Faults that come together, such as brownout; `chaosproxy profiles`."
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(envvar="CHAOSPROXY_SEED", metavar="N", min=0, help="Of all chance. [default: random, printed]"),
]
Config = Annotated[
    str | None, typer.Option(envvar="CHAOSPROXY_CONFIG", metavar="FILE", help="A YAML file with several listeners.")
]
Control = Annotated[
    str | None, typer.Option(envvar="CHAOSPROXY_CONTROL", metavar="HOST:PORT", help="Address of the control API.")
]
TokenFile = Annotated[
    str | None,
    typer.Option(envvar="CHAOSPROXY_TOKEN_FILE", metavar="FILE", help="File with the control API's token."),
]
Journal = Annotated[str | None, typer.Option(envvar="CHAOSPROXY_JOURNAL", metavar="FILE", help="File for the journal.")]
Authorities = Annotated[
    str | None,
    typer.Option(envvar="CHAOSPROXY_CA", metavar="FILE", help="PEM file of authorities to trust beside the system's."),
]
TlsCert = Annotated[
    str | None,
    typer.Option(
        envvar="CHAOSPROXY_TLS_CERT",
        metavar="FILE",
        help="PEM file of the certificate to show: clients speak https. `chaosproxy ca` makes one.",
    ),
]
TlsKey = Annotated[
    str | None,
    typer.Option(
        envvar="CHAOSPROXY_TLS_KEY", metavar="FILE", help="PEM file of its key. [default: the certificate's file]"
    ),
]

ConnectionsMax = Annotated[
    int | None,
    typer.Option(
        envvar="CHAOSPROXY_CONNECTIONS_MAX",
        metavar="N",
        min=1,
        help="Open client connections; a further one gets a 503. [default: as descriptors allow, at most 10000]",
    ),
]

StopFile = Annotated[
    str | None,
    typer.Option(
        envvar="CHAOSPROXY_STOP_FILE",
        metavar="PATH",
        help="While this file exists, nothing is injected.",
    ),
]
HeaderFaults = Annotated[
    bool,
    typer.Option(
        "--allow-header-faults",
        envvar="CHAOSPROXY_ALLOW_HEADER_FAULTS",
        help="Let a request ask for faults of its own: 'x-chaosproxy-fault: stream.truncate where=token:3'.",
    ),
]

MetricsCompat = Annotated[
    bool,
    typer.Option(
        "--metrics-compat",
        envvar="CHAOSPROXY_METRICS_COMPAT",
        help="Show /metrics and its JSON pages on the data ports, too, for everybody who reaches them.",
    ),
]
OtelEndpoint = Annotated[
    str | None,
    typer.Option(
        envvar="CHAOSPROXY_OTEL_ENDPOINT",
        metavar="URL",
        help="Send an OpenTelemetry span of each exchange, such as to http://127.0.0.1:4318/v1/traces.",
    ),
]

ExperimentsFolder = Annotated[
    str | None,
    typer.Option(
        "--experiments",
        envvar="CHAOSPROXY_EXPERIMENTS",
        metavar="DIR",
        help="Experiments that can be started on the live page, which stands at the control API's address.",
    ),
]

GC_THRESHOLDS = (20_000, 10, 50)
"""New objects before a collection of the newest, and how many collections of each age make one of the next."""


def serve(
    listen: Listen = None,
    upstream: Upstream = None,
    fault: Faults = None,
    seed: Seed = None,
    config: Config = None,
    control: Control = None,
    token_file: TokenFile = None,
    journal: Journal = None,
    ca: Authorities = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    connections_max: ConnectionsMax = None,
    plugin: Plugins = None,
    profile: Profiles = None,
    stop_file: StopFile = None,
    otel_endpoint: OtelEndpoint = None,
    experiments: ExperimentsFolder = None,
    *,
    allow_header_faults: HeaderFaults = False,
    metrics_compat: MetricsCompat = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, as in a pipe: ready, then the journal.")] = False,
    leash: Annotated[bool, typer.Option("--leash", hidden=True, help="End when standard input closes.")] = False,
) -> None:
    """Stand in front of an LLM backend and break its answers.

    Flags win over environment variables, and those over the file. SIGTERM lets open answers end for up to 1.5 s.

    Example: chaosproxy serve --upstream http://127.0.0.1:8000 --fault 'stream.truncate where=token:5'
    """
    from dataclasses import replace
    from pathlib import Path

    from chaosproxy.cli.heap import give_back_large_blocks
    from chaosproxy.cli.setup import Given, read_token, set_up
    from chaosproxy.control import serve as process
    from chaosproxy.lab.part import run_process

    plugins = load_plugins(plugin)
    service = replace(
        set_up(
            Given(
                listen,
                upstream,
                tuple(fault or ()),
                seed,
                config,
                ca,
                connections_max,
                allow_header_faults,
                profiles=tuple(profile or ()),
                tls_cert=tls_cert,
                tls_key=tls_key,
            )
        ),
        control=control,
        token=read_token(token_file),
        journal=Path(journal) if journal else None,
        stop_file=Path(stop_file) if stop_file else None,
        metrics_compat=metrics_compat,
        otel_endpoint=otel_endpoint,
        experiments=Path(experiments) if experiments else None,
        plugins=plugins,
    )
    on_ready, on_entry, at_end = _voice(service, for_person=sys.stdout.isatty() and not as_json, leash=leash)

    def ready(**facts: Any) -> None:
        give_back_large_blocks()
        _spare_the_start()
        on_ready(**facts)

    code = run_process(process.serve(service, leash=leash, on_ready=ready, on_entry=on_entry))
    at_end()
    sys.exit(code)


def _spare_the_start() -> None:
    """Keep the garbage collector away from what start-up made, and from running every few exchanges.

    A full collection stalls all streams for as long as there are objects: those of the start are for ever, and
    exchanges are freed without it.
    """
    import gc

    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _voice(
    service: Service, *, for_person: bool, leash: bool
) -> tuple[Callable[..., None], Callable[[Entry], None] | None, Callable[[], None]]:
    """How it says that it is ready, what it says of each journal entry, and what at the end.

    On a leash the reader is a program that follows the control API, so the ready line is all.
    """
    if for_person:
        return _greeter(service.rules), _teller(several=len(service.listeners) > 1), _nothing
    if leash:
        from chaosproxy.lab.part import announce

        return announce, None, _nothing
    from chaosproxy.cli.outlet import JsonVoice, Outlet

    voice = JsonVoice(Outlet(sys.stdout.fileno()))
    return voice.ready, voice.tell, voice.tell_all


def _nothing() -> None:
    """All was said."""


def _greeter(rules: Sequence[Rule]) -> Callable[..., None]:
    from chaosproxy.report.serving import welcome

    def greet(listeners: dict[str, dict[str, str]], seed: int, control: str | None = None) -> None:
        say = _sayer()
        for line in welcome(listeners, rules, seed=seed, control=control):
            say(line)

    return greet


def _teller(*, several: bool) -> Callable[[Entry], None]:
    from chaosproxy.journal.lines import Narrator

    narrator, say = Narrator(), _sayer()

    def tell(entry: Entry) -> None:
        record = entry.record
        if line := narrator.tell(record):
            where = f"{getattr(record, 'listener', '')} " if several else ""
            say(where + line)

    return tell


def _sayer() -> Callable[[str], None]:
    """Prints a line with rich's colours for numbers, paths and URLs."""
    from functools import partial

    from chaosproxy.report.printable import SafeConsole

    return partial(SafeConsole().print, markup=False, emoji=False, soft_wrap=True)
