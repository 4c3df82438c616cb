"""What the search finds in each of the clients, from nothing: no example database, the default strategy, no hints.

The table of docs/how-to/search-for-faults.md, which a test compares.
LiteLLM pins another openai than ours, so it is searched by ``chaosproxy search`` in its own environment.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.faults import describe
from chaosproxy.runner.search import Search
from chaosproxy.runner.world import opened
from chaosproxy.search.case import case_of
from chaosproxy.search.observation import Plan, Setting, Target
from chaosproxy.search.promise import default_promise
from tests.real.search import targets

ROOT = Path(__file__).parents[3]
LITELLM_PYTHON = ROOT / ".venv-litellm" / "bin" / "python"
PAGE = ROOT / "docs/how-to/search-for-faults.md"
SEED = 1
SESSION_S = 1000
HEADER = "| client | finding | smallest plan | examples |"


@dataclass(frozen=True)
class Find:
    """``plan`` as in ``--fault``, several joined by `` + ``; ``examples`` is how many were tried until then."""

    flaw: str
    plan: str
    examples: int


@dataclass(frozen=True)
class Client:
    """``words`` say how the package is asked. Without a ``target`` it lives in LiteLLM's environment."""

    package: str
    words: str
    dialect: str
    target: Target | None
    examples: int = 400

    @property
    def missing(self) -> str | None:
        """Why it cannot be searched here."""
        if self.target is None:
            return _litellm_is_missing()
        top, *_ = parts = self.package.replace("-", ".", 1).split(".")
        top = "google" if parts[0] == "google" else top
        return None if find_spec(top) is not None else f"{self.package} is not installed: make setup"

    @property
    def title(self) -> str:
        """With its version."""
        if self.target is None:
            version = _in_litellm("-c", "from importlib import metadata; print(metadata.version('litellm'))").strip()
        else:
            version = metadata.version(self.package)
        return f"{self.package} {version}, {self.words}"

    def finds(self) -> list[Find]:
        """In the order in which they are found."""
        return list(_by_command(self) if self.target is None else self._here(self.target))

    def _here(self, target: Target) -> Iterator[Find]:
        setting = Setting(dialect=self.dialect)
        with opened(target, setting) as run:
            search = Search(run, default_promise(), setting, max_faults=3, seed=SEED)
            for found in search.findings(self.examples):
                yield Find(str(found.broken.flaw), _flat(found.plan), found.after)
        gc.collect()  # what the client has left open warns now, and not in another test


CLIENTS = {
    "openai chat": Client("openai", "chat", "openai.chat", targets.openai_chat),
    "openai responses": Client("openai", "responses", "openai.responses", targets.openai_responses),
    "anthropic": Client("anthropic", "messages", "anthropic.messages", targets.anthropic_messages),
    "google-genai": Client("google-genai", "on httpx2", "gemini", targets.google_genai),
    "ollama": Client("ollama", "chat", "ollama", targets.ollama_chat),
    "litellm Router": Client("litellm", "Router with a fallback, `aresponses`", "openai.responses", None, 100),
}


def _flat(plan: Plan) -> str:
    return " + ".join(_line(describe(rule.do) | _aim(rule.match.model_dump(exclude_defaults=True))) for rule in plan)


def _line(values: dict[str, object]) -> str:
    kind = values.pop("type")
    return " ".join([str(kind), *(f"{key}={value}" for key, value in values.items())])


def _aim(match: dict[str, object]) -> dict[str, object]:
    return {f"match.{key}": value for key, value in match.items()}


def _by_command(client: Client) -> Iterator[Find]:
    """The Router has two backends. What it prints says after how many examples; the files have the plans."""
    where = [word for name in ("primary", "backup") for word in ("--backend", name)]
    with TemporaryDirectory() as keep:
        said = _in_litellm(
            *("-m", "chaosproxy", "search", "--target", "tests.real.search.targets:litellm_router", *where),
            *("--dialect", client.dialect, "--seed", str(SEED), "--examples", str(client.examples), "--keep", keep),
            codes=(0, 1),
        )
        pattern = r"^FOUND (\w+): .*?^  after (\d+) examples?;.*?^  replay: chaosproxy replay (.+?)$"
        for flaw, count, file in re.findall(pattern, said, re.MULTILINE | re.DOTALL):
            _, plan, _, _ = case_of(parse_experiment(Path(file).read_text(encoding="utf-8"), file), file)
            yield Find(flaw, _flat(plan), int(count))


def _in_litellm(*words: str, codes: tuple[int, ...] = (0,)) -> str:
    """What a process of its environment prints. ``-E`` keeps ours out of it."""
    ended = subprocess.run(
        [str(LITELLM_PYTHON), "-E", "-s", *words],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if "PROXY" not in key.upper()},
        capture_output=True,
        text=True,
        timeout=SESSION_S,
        check=False,
    )
    if ended.returncode not in codes:
        raise RuntimeError(f"LiteLLM's process ended with {ended.returncode}: {ended.stdout}{ended.stderr}")
    return ended.stdout


def _litellm_is_missing() -> str | None:
    if not LITELLM_PYTHON.exists():
        return "LiteLLM has an environment of its own: make setup-litellm"
    try:
        _in_litellm("-c", "import hypothesis, looptime, mcp, structlog")
    except RuntimeError:
        return "LiteLLM's environment is older than its lock: make setup-litellm"
    return None


def table_rows() -> dict[str, list[Find]]:
    """The table of the page: what was found in each client, by its title."""
    rows: dict[str, list[Find]] = {}
    _, _, table = PAGE.read_text(encoding="utf-8").partition(HEADER)
    title = ""
    for line in table.partition("\n\n")[0].splitlines()[2:]:
        client, flaw, plan, examples = (cell.strip() for cell in line.strip("|").split(" | "))
        title = client or title
        rows.setdefault(title, []).append(Find(flaw.split(" ")[0], plan.strip("`"), int(examples)))
    return rows


def rows_of(title: str, finds: list[Find]) -> str:
    """As the page has them."""
    rows = [f" {find.flaw} | `{find.plan}` | {find.examples} |" for find in finds]
    return "\n".join([f"| {title} |{rows[0]}", *(f"| |{row}" for row in rows[1:])]) if rows else f"| {title} | none |"
