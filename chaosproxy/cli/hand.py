"""By hand, on a running proxy: ``chaosproxy inject``, ``heal``, ``status`` and ``stop``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chaosproxy.control.client import ControlClient
    from chaosproxy.control.messages import Inject, Status

T = TypeVar("T")

Control = Annotated[
    str | None,
    typer.Option(envvar="CHAOSPROXY_CONTROL", metavar="URL", help="The proxy's control API."),
]
TokenFile = Annotated[
    str | None,
    typer.Option(
        envvar="CHAOSPROXY_TOKEN_FILE", metavar="FILE", help="File with its token. [default: CHAOSPROXY_TOKEN]"
    ),
]


def inject(
    name: Annotated[str, typer.Argument(help="A fault, such as http.status.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Such as status=503 share=20%.")
    ] = None,
    on: Annotated[
        list[str] | None, typer.Option(metavar="LISTENER", help="Where; repeat it. [default: the only listener]")
    ] = None,
    lease: Annotated[str, typer.Option(metavar="TIME", help="After which it ends by itself, at most 1h.")] = "30s",
    seed: Annotated[int | None, typer.Option(help="Of its chance. [default: random]", min=0)] = None,
    control: Control = None,
    token_file: TokenFile = None,
) -> None:
    """Inject a fault into a running proxy; it ends by itself.

    Example: chaosproxy inject http.status status=503 share=20% --on primary --lease 30s
    """
    import secrets
    import shlex

    line = shlex.join([name, *(settings or [])])
    lease_s = _lease(lease)

    async def ask(client: ControlClient) -> str:
        status = await client.status()
        wanted = _wanted(line, on or [], status, lease_s, secrets.randbelow(2**31) if seed is None else seed)
        active = await client.inject(wanted)
        where = ", ".join(active.listeners)
        return f"{active.id} is active on {where} for {lease}; `chaosproxy heal {active.id}` ends it"

    sys.stdout.write(f"{_asked(control, token_file, ask)}\n")


def heal(
    fault: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One fault. [default: all that were injected by hand]")
    ] = None,
    control: Control = None,
    token_file: TokenFile = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All faults, those of runs included.")] = False,
) -> None:
    """End a fault on a running proxy, or those that were injected by hand, or all.

    Example: chaosproxy heal http.status
    """
    from chaosproxy.control.messages import OWNER
    from chaosproxy.errors import UserError

    if fault is not None and everything:
        raise UserError("a fault or --all, not both")

    async def ask(client: ControlClient) -> str:
        before = await client.faults()
        if fault is not None:
            await client.heal(fault)
            return f"{fault} is over"
        await client.clear(None if everything else OWNER)
        left = await client.faults()
        ended = [each.id for each in before if each.id not in {other.id for other in left}]
        others = f"; still active, of others: {', '.join(each.id for each in left)}" if left else ""
        return (f"over: {', '.join(ended)}" if ended else "nothing was active") + others

    sys.stdout.write(f"{_asked(control, token_file, ask)}\n")


def status(
    control: Control = None,
    token_file: TokenFile = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is active on a running proxy: since when, until when, for whom, and whom it met.

    Example: chaosproxy status --control http://127.0.0.1:8666
    """
    from chaosproxy.cli.terminal import reader_may_leave
    from chaosproxy.report.standing import standing

    async def ask(client: ControlClient) -> Status:
        return await client.status()

    seen = _asked(control, token_file, ask)
    with reader_may_leave():
        lines = [seen.model_dump_json(indent=2)] if as_json else standing(seen)
        sys.stdout.writelines(f"{line}\n" for line in lines)


def stop(
    control: Control = None,
    token_file: TokenFile = None,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Told to everybody who is refused.")] = "",
    *,
    everything: Annotated[bool, typer.Option("--all", help="End all faults of everybody.")] = False,
    lock: Annotated[bool, typer.Option("--lock", help="Refuse new runs and faults, until --unlock.")] = False,
    unlock: Annotated[bool, typer.Option("--unlock", help="Let runs and faults in again.")] = False,
) -> None:
    """Stop everything on a running proxy, now.

    Example: chaosproxy stop --all --lock --why 'incident 4711'
    """
    from chaosproxy.errors import UserError

    if unlock and (everything or lock):
        raise UserError("--unlock stands alone")
    if not (everything or lock or unlock):
        raise UserError(
            "say --all to end all faults, with --lock to keep new ones out; or --unlock to let them in again"
        )
    if why and not lock:
        raise UserError("--why is the reason of a --lock")

    async def ask(client: ControlClient) -> str:
        if unlock:
            still = await client.unlock()
            return f"still stopped: {still}" if still else "unlocked: runs and faults are let in again"
        if lock:
            return f"all faults are over, and new ones are refused: {await client.lock(why)}"
        await client.clear()
        left = await client.faults()
        return f"still active: {', '.join(each.id for each in left)}" if left else "all faults are over"

    sys.stdout.write(f"{_asked(control, token_file, ask)}\n")


def _asked(control: str | None, token_file: str | None, ask: Callable[[ControlClient], Awaitable[T]]) -> T:
    """The answer to a question that the proxy was asked. Raises UserError, PartFailed."""
    import asyncio

    from chaosproxy.cli.setup import read_token
    from chaosproxy.control.address import control_url
    from chaosproxy.control.client import ControlClient

    url, token = control_url(control), read_token(token_file)

    async def speak() -> T:
        async with ControlClient(url, token) as client:
            return await ask(client)

    return asyncio.run(speak())


def _lease(text: str) -> float:
    from chaosproxy.control.messages import LEASE_S_MAX
    from chaosproxy.errors import BadValue, UserError
    from chaosproxy.units import format_duration, parse_duration

    try:
        lease_s = parse_duration(text)
    except BadValue as error:
        raise UserError(f"--lease: {error}") from None
    if not 0 < lease_s <= LEASE_S_MAX:
        raise UserError(f"--lease: more than 0s and at most {format_duration(LEASE_S_MAX)}, got {text}")
    return lease_s


def _wanted(line: str, on: list[str], status: Status, lease_s: float, seed: int) -> Inject:
    """The fault of a command line. Raises UserError with all mistakes."""
    from chaosproxy.control.messages import Inject
    from chaosproxy.errors import BadValue, UserError
    from chaosproxy.experiment.references import hint
    from chaosproxy.plan.flat import parse_flat
    from chaosproxy.plan.rule import Rule, free_id

    known = list(status.listeners)
    problems: list[str] = []
    values = {}
    try:
        values = parse_flat(line)
    except BadValue as error:
        problems += str(error).splitlines()
    if on and "listeners" in values:
        problems.append("--on and target= say the same; give one of them")
    listeners = list(values.get("listeners", on or (known if len(known) == 1 else [])))
    if not listeners:
        problems.append(f"--on: which listener? There are {', '.join(known)}")
    unknown = [name for name in listeners if name not in known]
    problems += [f"--on {name}: no such listener{hint(name, known)}; there are {', '.join(known)}" for name in unknown]
    if problems:
        raise UserError("\n".join(f"inject: {problem}" for problem in problems))
    taken = {fault.id for fault in status.active}
    rule = {"id": free_id(values["do"]["type"], taken), **values, "listeners": tuple(listeners)}
    return Inject(rule=Rule.model_validate(rule), lease=lease_s, seed=seed)
