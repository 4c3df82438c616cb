"""What docker-compose.yml, Dockerfile and the files beside them promise, as far as it shows without running them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.compose.file import COMPOSE, DOCKERFILE, ROOT, read_services, read_stages, read_tree
from tests.e2e.drill import chaosproxy

PROGRAMS = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
HOW_TO = ROOT / "docs/how-to/run-with-docker-compose.md"
EXPERIMENTS = sorted((ROOT / "experiments/compose").glob("*.yaml"))
TREE = read_tree(COMPOSE.read_text("utf-8"), {})
SERVICES = read_services(TREE)
VERSION = re.compile(r"v?\d+\.\d+\.\d+(-[\w.-]+)?")

pytestmark = pytest.mark.e2e


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    """Against the JSON Schema of the Compose Specification, which check-jsonschema brings along."""
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    """The linter of Dockerfiles, any of its findings being an error."""
    program = shutil.which("hadolint", path=PROGRAMS)
    assert program is not None
    return subprocess.run([program, "--no-color", str(path)], capture_output=True, text=True, check=False)


class TestCompose:
    """The file."""

    def test_it_is_valid(self) -> None:
        """By the schema."""
        done = validate(COMPOSE)

        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.parametrize(
        ("found", "put"),
        [
            ("depends_on:", "depend_on:"),
            ("condition: service_healthy", "condition: healthy"),
            ('ports: ["127.0.0.1:8080:8080"]', "ports: 8080"),
            ("retries: 5", "retries: [5]"),
        ],
    )
    def test_the_schema_finds_mistakes(self, tmp_path: Path, found: str, put: str) -> None:
        """A misspelt key, a word that does not exist, a wrong type."""
        text = COMPOSE.read_text("utf-8")
        copy = tmp_path / COMPOSE.name
        copy.write_text(text.replace(found, put), encoding="utf-8")

        assert found in text
        assert validate(copy).returncode == 1

    def test_ports_are_published_on_this_machine_only(self) -> None:
        """A drill opens nothing to the network, and two services never want one port."""
        published = [port for service in SERVICES.values() for port in service.ports]

        assert published
        assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)
        assert len(published) == len({port.rpartition(":")[0] for port in published})

    def test_the_default_profile_is_small(self) -> None:
        """What is large, or not ours to judge, stands behind a profile of its own."""
        assert {name: service.profiles for name, service in SERVICES.items() if service.profiles} == {
            "litellm": ("litellm",),
            "vllm": ("vllm",),
            "prometheus": ("monitoring",),
        }

    def test_images_are_pinned(self) -> None:
        """To a version; ours is built here."""
        for service in SERVICES.values():
            name, _, tag = service.image.rpartition(":")
            assert VERSION.fullmatch(tag) or (name, tag) == ("chaosproxy", "local"), service.image

    def test_litellm_in_the_image_is_the_one_that_is_tested(self) -> None:
        """The tests run the version of the lock."""
        (locked,) = re.findall(
            r"^litellm==(\S+)", (ROOT / "requirements/litellm.lock").read_text("utf-8"), re.MULTILINE
        )

        assert SERVICES["litellm"].image == f"ghcr.io/berriai/litellm:v{locked}"

    def test_who_listens_for_control_wants_a_token(self) -> None:
        """Off loopback a proxy refuses to start without one; the tests' addresses are all loopback."""
        controlled = [service for service in SERVICES.values() if "--control" in service.command]

        assert len(controlled) == 2
        assert all(service.environment["CHAOSPROXY_TOKEN"] for service in controlled)

    def test_every_dependency_is_waited_for_until_it_is_healthy(self) -> None:
        """Nothing starts against a port that nobody listens at yet."""
        conditions = {name: set(service.depends_on.values()) for name, service in SERVICES.items()}

        assert {name: wanted for name, wanted in conditions.items() if wanted - {"service_healthy"}} == {}

    @pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
    def test_its_experiments_are_right(self, path: Path, tmp_path: Path) -> None:
        """As planned, and every host that they name is a service."""
        planned = chaosproxy("plan", str(path), cwd=tmp_path)
        hosts = set(re.findall(r"http://([\w-]+):\d", path.read_text("utf-8")))

        assert planned.code == 0, planned.err
        assert hosts
        assert hosts <= SERVICES.keys()


class TestPages:
    """What README, the how-to and the files' own comments tell a user to type."""

    TOLD = "".join(path.read_text("utf-8") for path in (ROOT / "README.md", HOW_TO, COMPOSE, *EXPERIMENTS))

    @pytest.mark.parametrize(
        "words", sorted({found.strip() for found in re.findall(r"run --rm drill ([^#`\n]+?)(?:  |#|`|\n)", TOLD)})
    )
    def test_an_experiment_that_they_run_is_right(self, words: str) -> None:
        """With its variables."""
        done = chaosproxy("plan", *words.split(), cwd=ROOT)

        assert done.code == 0, done.err

    def test_profiles_and_services_that_they_name_exist(self) -> None:
        """Whatever stands behind ``--profile`` and before a port."""
        profiles = {profile for service in SERVICES.values() for profile in service.profiles}
        rows = re.findall(r"^\| (`[^|]+) \|", HOW_TO.read_text("utf-8"), re.MULTILINE)

        assert profiles >= set(re.findall(r"docker compose --profile (\w+)", self.TOLD)) != set()
        assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == SERVICES.keys()

    def test_ports_that_they_name_are_published(self) -> None:
        """On this machine."""
        published = {port.split(":")[1] for service in SERVICES.values() for port in service.ports}
        told = set(re.findall(r"(?:127\.0\.0\.1|`):(\d{4,5})", HOW_TO.read_text("utf-8")))

        assert told == published


def test_prometheus_scrapes_what_the_proxies_serve() -> None:
    """Its targets are exactly the addresses of their control APIs, with their token."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "compose/prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    (group,) = job["static_configs"]
    control = {
        f"{name}:{command[command.index('--control') + 1].rpartition(':')[2]}"
        for name, command in ((service.name, service.command) for service in SERVICES.values())
        if "--control" in command
    }

    assert set(group["targets"]) == control
    assert {job["authorization"]["credentials"]} == {
        SERVICES[target.partition(":")[0]].environment["CHAOSPROXY_TOKEN"] for target in group["targets"]
    }
    assert any(target in SERVICES["prometheus"].command[0] for _, target in SERVICES["prometheus"].binds)


class TestDockerfile:
    """The image of ours."""

    def test_hadolint_has_nothing_to_say(self) -> None:
        """Not even a hint."""
        done = hadolint(DOCKERFILE)

        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout == ""

    def test_hadolint_finds_mistakes(self, tmp_path: Path) -> None:
        """Such as an unpinned base."""
        copy = tmp_path / "Dockerfile"
        copy.write_text(DOCKERFILE.read_text("utf-8").replace(":3.13.15-slim-trixie", ""), encoding="utf-8")

        assert "DL3006" in hadolint(copy).stdout

    def test_it_is_slim_pinned_and_without_root(self) -> None:
        """Two stages on one slim base with a whole version; a user with a number."""
        build, last = read_stages()

        assert build.base == f"{last.base} AS build"
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", last.base)
        assert int(last.last("USER")) > 0
        assert ("COPY", "--from=build /opt/chaosproxy /opt/chaosproxy") in last.instructions

    def test_every_requirement_is_locked(self) -> None:
        """Whatever pip installs comes from a lock with hashes, or is the wheel of the first stage."""
        installs = [
            words
            for stage in read_stages()
            for kind, text in stage.instructions
            if kind == "RUN"
            for words in text.split(" && ")
            if " install " in words and "pip" in words
        ]

        assert len(installs) == 3
        for words in installs:
            assert "--no-deps" in words
            assert "--require-hashes" in words or words.endswith(" /dist/*.whl")

    def test_what_it_copies_is_sent_to_the_builder(self) -> None:
        """.dockerignore lets nothing in but what the wheel is built from."""
        allowed = {
            line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
        }
        copied = [text.split()[0] for kind, text in read_stages()[0].instructions if kind == "COPY"]

        assert all((ROOT / name).exists() for name in allowed)
        assert {path.partition("/")[0] for path in copied if path != "."} <= allowed


@pytest.mark.slow
def test_the_first_stage_builds_the_wheel_with_what_is_locked(tmp_path: Path) -> None:
    """Its very lines, in a copy of what the builder gets: after them the command of the image runs."""
    build, image = read_stages()
    source, target, dist = tmp_path / "src", tmp_path / "opt", tmp_path / "dist"
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if line.startswith("!"):
            copy = shutil.copytree if (ROOT / line[1:]).is_dir() else shutil.copy
            source.mkdir(exist_ok=True)
            copy(ROOT / line[1:], source / line[1:])
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "python")], check=True)
    path = f"{tmp_path / 'python' / 'bin'}:/usr/bin:/bin"

    for kind, text in build.instructions:
        if kind == "RUN":
            here = text.replace("/opt/chaosproxy", str(target)).replace("/dist", str(dist))
            done = subprocess.run(
                ["sh", "-c", here], cwd=source, env={"PATH": path}, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr

    (program,) = re.findall(r'"(\w+)"', image.last("ENTRYPOINT"))
    said = subprocess.run([str(target / "bin" / program), "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("chaosproxy ")
