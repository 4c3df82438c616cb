"""``chaosproxy lab verify``: whether the lab speaks as providers do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from chaosproxy.wire.dialects.names import ApiName


def verify(
    against: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Compare with the answers of a live upstream.", show_default=False),
    ] = None,
    dialect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this one; repeat it. Default: all, openai.chat with --against.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model to ask the live upstream for.", show_default=False)
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that the lab's backend answers as providers do.

    Our own readers and the types of the official SDKs that are installed read its answers. With --against, one plain
    and one streamed request per dialect go to a live upstream, with the key in OPENAI_API_KEY, ANTHROPIC_API_KEY,
    GEMINI_API_KEY or OLLAMA_API_KEY, and the members of its answers are compared with the lab's.

    Exit code 0: all is well; 1: something is wrong; 3: the upstream could not be asked.

    Example: chaosproxy lab verify --against http://127.0.0.1:11434 --dialect ollama --model llama3.2
    """
    if against is None and model is not None:
        raise UserError("--model is for a live upstream: give --against URL, too")
    apis = _apis(dialect)
    sys.exit(_own(apis, as_json=as_json) if against is None else _live(against, apis, model, as_json=as_json))


def _own(apis: list[ApiName], *, as_json: bool) -> int:
    import asyncio
    from typing import get_args

    from chaosproxy.lab.verify.own import verify as verify_own
    from chaosproxy.report import verification
    from chaosproxy.wire.dialects.names import ApiName

    found = asyncio.run(verify_own(apis or get_args(ApiName)))
    _print(verification.table(found) if not as_json else verification.table_values(found))
    return 0 if all(one.ok for one in found) else 1


def _live(url: str, apis: list[ApiName], model: str | None, *, as_json: bool) -> int:
    import asyncio
    import os

    from chaosproxy.lab.verify.live import Compared, compare_live
    from chaosproxy.proxy.target import Target
    from chaosproxy.report import verification

    target = str(Target(url))

    async def compare() -> list[Compared]:
        return [await compare_live(target, api, model, os.environ) for api in apis or ["openai.chat"]]

    found = asyncio.run(compare())
    _print(verification.comparison(target, found) if not as_json else verification.comparison_values(found))
    return 0 if all(one.ok for one in found) else 1


def _apis(names: list[str] | None) -> list[ApiName]:
    from typing import get_args

    from chaosproxy.errors import BadValue
    from chaosproxy.wire.dialects import dialect
    from chaosproxy.wire.dialects.names import ApiName

    known = get_args(ApiName)
    for name in names or []:
        try:
            dialect(name)
        except BadValue as error:
            raise UserError(f"--dialect: {error}") from None
        if name not in known:
            raise UserError(f"--dialect: {name} has no answers of its own, expected one of {', '.join(known)}")
    return [api for api in known if api in (names or [])]


def _print(found: object) -> None:
    import json

    from chaosproxy.cli.terminal import reader_may_leave

    with reader_may_leave():
        typer.echo(found if isinstance(found, str) else json.dumps(found, indent=2, ensure_ascii=False))
