"""docker-compose.yml as Compose reads it: variables filled in, and what the image of ours adds to a service."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"

ENTRYPOINTS: Mapping[str, tuple[str, ...]] = {
    "ghcr.io/berriai/litellm": ("litellm",),
    "ghcr.io/shopify/toxiproxy": ("/toxiproxy",),
    "prom/prometheus": ("/bin/prometheus",),
    "redis": (),
}
"""What the images of others put before a command."""

_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::-([^}]*))?\})")
_SECONDS = {"s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Health:
    """How a service is asked whether it is healthy, and for how long it may say no, in seconds."""

    test: tuple[str, ...]
    patience_s: float


@dataclass(frozen=True)
class Service:
    """One service as it would run. ``owner`` is the service whose network it lives in, mostly itself."""

    name: str
    image: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    depends_on: Mapping[str, str]
    health: Health | None
    binds: tuple[tuple[str, str], ...]
    ports: tuple[str, ...]
    profiles: tuple[str, ...]
    workdir: str
    owner: str

    @property
    def container_ports(self) -> list[int]:
        """The ports of the container that are published."""
        return [int(port.rpartition(":")[2]) for port in self.ports]


@dataclass(frozen=True)
class Image:
    """What the last stage of a Dockerfile says."""

    base: str
    instructions: tuple[tuple[str, str], ...]

    def last(self, word: str) -> str:
        """The last instruction of a kind, without its word."""
        return next(text for kind, text in reversed(self.instructions) if kind == word)

    @property
    def environment(self) -> dict[str, str]:
        """Its variables, but for the search path, which is the machine's here."""
        pairs = (pair.partition("=") for pair in self.last("ENV").split())
        return {name: value for name, _, value in pairs if name != "PATH"}

    @property
    def health(self) -> tuple[str, ...]:
        """The command of its HEALTHCHECK."""
        return tuple(json.loads(self.last("HEALTHCHECK").partition("CMD ")[2]))


def read_stages(dockerfile: Path = DOCKERFILE) -> list[Image]:
    """The stages of a Dockerfile, in order."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[tuple[str, list[tuple[str, str]]]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append((rest, []))
        else:
            stages[-1][1].append((word, " ".join(rest.split())))
    return [Image(base, tuple(instructions)) for base, instructions in stages]


def read_tree(text: str, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The parsed file with its variables filled in, all text as text."""
    filled: dict[str, Any] = _filled(yaml.safe_load(text), environment)
    return filled


def read_services(tree: Mapping[str, Any]) -> dict[str, Service]:
    """Every service of the file by its name."""
    image = read_stages()[-1]
    return {name: _service(name, entry, image) for name, entry in tree["services"].items()}


def _service(name: str, entry: Mapping[str, Any], image: Image) -> Service:
    ours = "build" in entry
    words = ENTRYPOINTS.get(entry["image"].rpartition(":")[0], ())
    environment = {key: str(value) for key, value in entry.get("environment", {}).items()}
    return Service(
        name=name,
        image=entry["image"],
        entrypoint=tuple(entry.get("entrypoint", json.loads(image.last("ENTRYPOINT")) if ours else words)),
        command=tuple(entry.get("command", json.loads(image.last("CMD")) if ours else ())),
        environment={**(image.environment if ours else {}), **environment},
        depends_on={key: value["condition"] for key, value in entry.get("depends_on", {}).items()},
        health=_health(entry.get("healthcheck", {}), image.health if ours else ()),
        binds=tuple(_binds(entry)),
        ports=tuple(entry.get("ports", ())),
        profiles=tuple(entry.get("profiles", ())),
        workdir=image.last("WORKDIR") if ours else "/",
        owner=entry.get("network_mode", f"service:{name}").removeprefix("service:"),
    )


def _health(entry: Mapping[str, Any], inherited: tuple[str, ...]) -> Health | None:
    kind, *test = entry.get("test", ("CMD", *inherited))
    if entry.get("disable") or not test:
        return None
    assert kind == "CMD", f"a shell is not in every image: {kind} {test}"
    tries = int(entry.get("retries", 3)) * _seconds(entry.get("interval", "30s"))
    return Health(tuple(test), _seconds(entry.get("start_period", "0s")) + tries)


def _binds(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Files and folders of this repository that a service sees, and where; named volumes are none of them."""
    for volume in entry.get("volumes", ()):
        source, target, *_ = volume.split(":")
        if source.startswith("./"):
            yield source, target


def _seconds(text: str) -> float:
    return float(text[:-1]) * _SECONDS[text[-1]]


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {key: _filled(item, environment) for key, item in value.items()}
        case list():
            return [_filled(item, environment) for item in value]
        case str():
            return _VARIABLE.sub(lambda found: _variable(found, environment), value)
        case _:
            return value


def _variable(found: re.Match[str], environment: Mapping[str, str]) -> str:
    name, default = found.groups()
    return "$" if name is None else environment.get(name) or default or ""
