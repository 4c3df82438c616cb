"""``chaosproxy profiles``: the lists of faults that ship with the product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chaosproxy.experiment.profiles import Profile


def profiles(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A profile, such as brownout.", show_default=False)
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the profiles, faults that are used together, with the incidents that they imitate.

    Example: chaosproxy profiles brownout
    """
    from chaosproxy import shipped
    from chaosproxy.errors import UserError
    from chaosproxy.experiment.profiles import flat_profile, parse_profile
    from chaosproxy.experiment.references import hint

    texts = shipped.profiles()
    if name is not None and name not in texts:
        raise UserError(f"no profile is called {name!r}{hint(name, texts)}; known: {', '.join(texts)}")
    chosen = {each: parse_profile(texts[each], each) for each in texts if name in (None, each)}
    lines = {each: flat_profile(each, texts) for each in chosen}
    if as_json:
        _print_json(chosen, lines)
        return
    typer.echo("\n\n".join(_words(each, profile, lines[each]) for each, profile in chosen.items()))
    example = name or "brownout"
    typer.echo(f"\non the command line\n  chaosproxy serve --upstream URL --profile {example}")
    typer.echo(f"\nin an experiment file, under faults\n  - {{use: {example}, target: primary, at: 5s, lasts: 10s}}")


def _words(name: str, profile: Profile, lines: list[str]) -> str:
    parts = [f"{name}: {profile.summary}", *(f"  {line}" for line in lines)]
    return "\n".join([*parts, *(f"  like {incident}" for incident in profile.imitates)])


def _print_json(chosen: dict[str, Profile], lines: dict[str, list[str]]) -> None:
    import json

    values = [
        {"name": name, "summary": profile.summary, "imitates": list(profile.imitates), "faults": lines[name]}
        for name, profile in chosen.items()
    ]
    typer.echo(json.dumps(values, indent=2, ensure_ascii=False))
