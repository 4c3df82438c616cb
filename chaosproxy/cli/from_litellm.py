"""``chaosproxy init --from-litellm``: listeners, a patched configuration and an experiment for LiteLLM's proxy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaosproxy.experiment.litellm_config import Patched

ENTRY = "http://127.0.0.1:4000"
"""Where LiteLLM's proxy listens unless it is told otherwise."""
CONTROL = "127.0.0.1:8666"
PROXIES = "proxies.yaml"


def write_all(config: Path, entry: str | None, model: str | None, out: Path, *, force: bool) -> None:
    """The three files, beside the experiment; the configuration itself is only read. Raises UserError."""
    from chaosproxy.experiment.litellm_config import patch, proxies_file
    from chaosproxy.experiment.load_file import parse_experiment
    from chaosproxy.experiment.load_proxies import parse_proxies

    entry = _checked(entry or ENTRY)
    patched = patch(_read(config), str(config), os.environ)
    copy, proxies = out.with_name(f"{config.stem}.chaos{config.suffix}"), out.with_name(PROXIES)
    texts = {
        proxies: proxies_file(patched),
        copy: patched.text,
        out: _experiment(patched, entry, model),
    }
    parse_proxies(texts[proxies], str(proxies), env=os.environ)
    parse_experiment(texts[out], str(out), env={**os.environ, **_placeholder(patched)})
    _refuse(config, texts, force=force)
    _write(texts)
    _tell(patched, config, copy, proxies, out)


def _experiment(patched: Patched, entry: str, model: str | None) -> str:
    from chaosproxy.experiment.section import host_of
    from chaosproxy.experiment.starter import Running, starter

    model = model or next((each.model_name for each in patched.deployments if "*" not in each.model_name), None)
    if model is None:
        raise UserError("all models of the configuration are patterns: give --model, which the calls ask for")
    running = Running(
        control=f"http://{CONTROL}",
        roles={each.name: each.role for each in patched.deployments},
        hosts=[host_of(each.resolved) for each in patched.deployments],
        key_variable=patched.key_variable,
    )
    ordered = sorted(patched.deployments, key=lambda each: each.port)
    return starter(entry, {each.name: each.upstream for each in ordered}, model, running)


def _placeholder(patched: Patched) -> Mapping[str, str]:
    """The key need not be there while the file is only checked."""
    name = patched.key_variable
    return {} if name is None or name in os.environ else {name: "unknown"}


def _checked(entry: str) -> str:
    from chaosproxy.errors import shown_url
    from chaosproxy.experiment.section import is_url

    if not is_url(entry):
        raise UserError(f"--entry: expected an http or https URL, got {shown_url(entry)!r}")
    return entry


def _read(config: Path) -> str:
    if config.is_dir():
        raise UserError(f"--from-litellm: {config} is a directory")
    try:
        return config.read_text("utf-8")
    except UnicodeDecodeError:
        raise UserError(f"--from-litellm: {config} is not UTF-8") from None
    except OSError as error:
        raise UserError(f"--from-litellm: cannot read {config}: {error.strerror}") from error


def _refuse(config: Path, texts: Mapping[Path, str], *, force: bool) -> None:
    """Nothing is written unless everything can be; the user's own configuration never is."""
    if any(path.exists() and path.samefile(config) for path in texts):
        raise UserError(f"{config} would be overwritten; choose another --out")
    there = [str(path) for path in texts if path.exists()]
    if there and not force:
        verb = "exists" if len(there) == 1 else "exist"
        raise UserError(f"{', '.join(there)} {verb}; choose another --out, or overwrite with --force")


def _write(texts: Mapping[Path, str]) -> None:
    for path, text in texts.items():
        try:
            path.touch(mode=0o600)  # a configuration may hold keys, and so does its copy
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from error


def _tell(patched: Patched, config: Path, copy: Path, proxies: Path, out: Path) -> None:
    typer.echo(f"wrote {proxies}, {copy} and {out}\n")
    for each in patched.deployments:
        typer.echo(f"  {each.model_name}: {each.calls} -> {each.resolved}")
    for model in patched.left:
        typer.echo(f"  {model}: as it was, for its requests are signed for its provider's own host")
    key = patched.key_variable
    needs = "" if key is None or key in os.environ else f"   with LiteLLM's master key in {key}"
    typer.echo(
        f"\nnext:\n  1. chaosproxy serve --config {proxies} --control {CONTROL}"
        f"\n  2. litellm --config {copy}   instead of {config}"
        f"\n  3. chaosproxy run {out}{needs}"
        f"\nundo: litellm --config {config}; rm {proxies} {copy} {out}"
    )
