"""What ``chaosproxy serve`` was told, by flags, environment and file, as one service; every mistake at once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from chaosproxy.cli.run import read_text
from chaosproxy.cli.settings import read_settings
from chaosproxy.control.serve import Service
from chaosproxy.errors import BadValue, InvalidExperiment, Problem, UserError
from chaosproxy.experiment.proxies import ProxyListener
from chaosproxy.plan.flat import parse_flat
from chaosproxy.plan.rule import Rule, free_id
from chaosproxy.proxy.listener import ListenerSpec

LISTEN = "127.0.0.1:9001"
NAME = "main"
"""The listener of a proxy without a file."""


@dataclass(frozen=True, slots=True)
class Given:
    """Flags and environment variables as they are, None where absent."""

    listen: str | None
    upstream: str | None
    faults: tuple[str, ...]
    seed: int | None
    config: str | None
    ca: str | None
    connections_max: int | None = None
    allow_header_faults: bool = False
    profiles: tuple[str, ...] = ()


def set_up(given: Given) -> Service:
    """Flags (and environment) over file. Raises InvalidExperiment with all mistakes, UserError."""
    base = _from_file(given.config) if given.config else Service((), seed=secrets.randbelow(2**31))
    problems: list[Problem] = []
    listeners = _listeners(given, base.listeners, problems)
    rules = (*base.rules, *_rules(_lines(given, problems), base.rules, listeners, problems))
    if problems:
        raise InvalidExperiment(problems)
    seed = base.seed if given.seed is None else given.seed
    return Service(
        listeners,
        rules,
        seed,
        ca=given.ca or base.ca,
        connections_max=given.connections_max or base.connections_max,
        allow_header_faults=given.allow_header_faults or base.allow_header_faults,
    )


def read_token(token_file: str | None) -> str | None:
    """The token of the control API: from its file, else from CHAOSPROXY_TOKEN. Raises UserError."""
    if token_file is None:
        return os.environ.get("CHAOSPROXY_TOKEN") or None
    token = read_text(Path(token_file)).strip()
    if not token:
        raise UserError(f"--token-file: {token_file} is empty")
    return token


def _from_file(config: str) -> Service:
    from chaosproxy.experiment.load_proxies import parse_proxies

    proxies = parse_proxies(read_text(Path(config)), config, env=os.environ)
    listeners = tuple(
        ListenerSpec(name, each.listen, each.upstream, each.dialect, each.role)
        for name, each in proxies.listeners.items()
    )
    seed = secrets.randbelow(2**31) if proxies.seed is None else proxies.seed
    return Service(
        listeners,
        proxies.rules(),
        seed,
        ca=proxies.ca,
        connections_max=proxies.connections_max,
        allow_header_faults=proxies.allow_header_faults,
    )


def _listeners(given: Given, listeners: Sequence[ListenerSpec], problems: list[Problem]) -> Sequence[ListenerSpec]:
    """Those of the file, the only one changed by --listen and --upstream; without a file, one of those."""
    told = {key: value for key, value in (("listen", given.listen), ("upstream", given.upstream)) if value is not None}
    if len(listeners) > 1:
        count = f"{given.config} has {len(listeners)} listeners"
        problems += [Problem(f"--{key}", 0, 0, "", f"is for one listener, and {count}") for key in told]
        return listeners
    if not listeners and given.upstream is None:
        problems.append(Problem("--upstream", 0, 0, "", "is missing: give the backend's URL, or a file with --config"))
        told["upstream"] = "http://127.0.0.1"
    before = listeners[0] if listeners else ListenerSpec(NAME, LISTEN, "")
    try:
        read = read_settings(ProxyListener, [], "serve", {"upstream": before.upstream, "listen": before.listen, **told})
    except InvalidExperiment as error:
        problems += [Problem(f"--{each.path}", 0, 0, "", each.message) for each in error.problems]
        return (before,)
    return (replace(before, listen=read.listen, upstream=read.upstream),)


def _lines(given: Given, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    """Each fault as a line, with the flag that it comes from."""
    if given.profiles:
        from chaosproxy.experiment.profiles import flat_profile
        from chaosproxy.shipped import profiles
    for text in given.profiles:
        source = f"--profile {text!r}"
        try:
            yield from ((source, line) for line in flat_profile(text, profiles()))
        except BadValue as error:
            problems.append(Problem(source, 0, 0, "", str(error)))
    yield from ((f"--fault {text!r}", text) for text in given.faults)


def _rules(
    lines: Iterable[tuple[str, str]], others: Sequence[Rule], specs: Sequence[ListenerSpec], problems: list[Problem]
) -> Iterator[Rule]:
    listeners = [spec.name for spec in specs]
    tcp = [spec.name for spec in specs if spec.is_tcp]
    taken = {rule.id for rule in others}
    for source, text in lines:
        try:
            values = {"listeners": tuple(listeners), **parse_flat(text)}
        except BadValue as error:
            problems += [Problem(source, 0, 0, "", line) for line in str(error).splitlines()]
            continue
        for name in values["listeners"]:
            if name not in listeners:
                near = get_close_matches(name, listeners, n=1)
                hint = f", did you mean {near[0]!r}?" if near else f"; there are {', '.join(listeners)}"
                problems.append(Problem(source, 0, 0, "", f"target={name}: no such listener{hint}"))
        rule = Rule.model_validate({"id": free_id(values["do"]["type"], taken), **values})
        ports = [name for name in rule.listeners if name in tcp]
        if ports and (words := rule.why_not_on_tcp) is not None:
            problems.append(Problem(source, 0, 0, "", f"{ports[0]} is a TCP port: {words}"))
        if rule.id in taken:
            problems.append(Problem(source, 0, 0, "", f"id={rule.id}: another fault has this id"))
        taken.add(rule.id)
        yield rule
