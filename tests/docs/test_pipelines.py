"""The pipelines of the documentation: they can be read, and what they call exists."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from chaosproxy import ctk
from chaosproxy.cli.app import app
from chaosproxy.plan.flat import parse_flat

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"\bchaosproxy +[a-z][^|\n>]*")
USAGE_ERROR = typer.BadParameter.__bases__[0]
"""What a wrong option and a wrong value raise, whichever click typer uses."""
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a page in a language."""
    return [text for mark, text in _BLOCK.findall((HOW_TO / page).read_text("utf-8")) if mark == language]


def pipelines() -> dict[str, Any]:
    """Those of the page on CI that are YAML, by the file that they are for."""
    found = {}
    for text in blocks("run-in-ci.md", "yaml"):
        name = re.match(r"# (\S+)\n", text)
        assert name is not None, text
        found[name[1]] = yaml.safe_load(text)
    return found


def texts(value: Any) -> Iterator[str]:
    """All texts inside."""
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)


def with_matrix(job: dict[str, Any], text: str) -> list[str]:
    """A text with each entry of the job's matrix in it."""
    entries = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
    return [_filled(text, entry) for entry in entries]


def _filled(text: str, entry: dict[str, str]) -> str:
    for name, value in entry.items():
        text = text.replace("${{ matrix." + name + " }}", value)
    return text


def calls() -> list[str]:
    """Every command of ours in a pipeline."""
    found: list[str] = []
    for pipeline in pipelines().values():
        for job in pipeline.get("jobs", pipeline).values():
            for text in texts(job):
                found += [call for filled in with_matrix(job, text) for call in _CALL.findall(filled)]
    for text in blocks("run-in-ci.md", "groovy"):
        found += [call.rstrip("'") for line in re.findall(r"sh '([^']*)'", text) for call in _CALL.findall(line)]
    return [call.strip() for call in dict.fromkeys(found)]


def check_call(call: str) -> None:
    """Parse it as the command line would, and run nothing. Raises USAGE_ERROR."""
    _, name, *words = shlex.split(call)
    commands: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
    commands[name].make_context(name, list(words)).close()


def test_the_pipelines_are_found() -> None:
    """Pull request, night, GitLab and Jenkins."""
    assert list(pipelines()) == [".github/workflows/drill.yml", ".github/workflows/nightly-drill.yml", ".gitlab-ci.yml"]
    assert len(blocks("run-in-ci.md", "groovy")) == 1
    assert len(calls()) >= 7


@pytest.mark.parametrize("call", calls())
def test_a_call_is_one_that_the_command_line_takes(call: str) -> None:
    """Its command and options exist, with values of the right kind."""
    check_call(call)


@pytest.mark.parametrize("call", ["chaosproxy run x.yaml --repaet 3", "chaosproxy run x.yaml --repeat many"])
def test_a_wrong_call_would_be_noticed(call: str) -> None:
    """Else the test above could not fail."""
    with pytest.raises(USAGE_ERROR):
        check_call(call)


@pytest.mark.parametrize("name", [name for name in pipelines() if name.startswith(".github")])
def test_github_jobs_are_whole(name: str) -> None:
    """They run on something, end in time, show JUnit, and keep the results of a failed drill."""
    pipeline = pipelines()[name]
    assert True in pipeline  # YAML 1.1 reads the key `on` so, and GitHub knows
    for job in pipeline["jobs"].values():
        assert {"runs-on", "timeout-minutes", "steps"} <= set(job)
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
        always = [step["uses"].partition("@")[0] for step in job["steps"] if step.get("if") == "always()"]
        assert always == ["mikepenz/action-junit-report", "actions/upload-artifact"]
        assert [step for step in job["steps"] if step.get("name") == "Drill"]  # which fills the summary itself


def test_gitlab_job_is_whole() -> None:
    """Results are kept however it ends, and only what could not be known may fail."""
    (job,) = pipelines()[".gitlab-ci.yml"].values()

    assert (job["artifacts"]["when"], job["artifacts"]["paths"]) == ("always", ["out/"])
    assert job["artifacts"]["reports"]["junit"] == "out/series-*/junit.xml"
    assert job["allow_failure"] == {"exit_codes": [3]}


def test_jenkinsfile_is_balanced() -> None:
    """Brackets and quotes, and the sections that a declarative pipeline must have."""
    (text,) = blocks("run-in-ci.md", "groovy")
    bare = re.sub(r"'[^'\n]*'|//.*", "", text)
    open_ones: list[str] = []
    for sign in bare:
        if sign in _BRACKETS.values():
            open_ones.append(sign)
        elif sign in _BRACKETS:
            assert open_ones.pop() == _BRACKETS[sign]

    assert open_ones == []
    assert not re.search("['\"]", bare)
    assert re.match(r"\s*pipeline \{\s*agent \{.*stages \{\s*stage\(.*steps \{.*post \{\s*always \{", bare, re.DOTALL)


def test_experiments_for_chaos_toolkit_call_what_exists() -> None:
    """Each activity's function, arguments and fault."""
    providers: list[dict[str, Any]] = []
    for text in blocks("come-from-chaos-toolkit.md", "json"):
        experiment = json.loads(text)
        hypothesis = experiment["steady-state-hypothesis"]["probes"]
        providers += [each["provider"] for each in (*hypothesis, *experiment["method"], *experiment["rollbacks"])]

    assert len(providers) == 5
    for provider in providers:
        assert provider["module"] == "chaosproxy.ctk"
        assert provider["func"] in ctk.__all__
        arguments = provider.get("arguments", {})
        inspect.signature(getattr(ctk, provider["func"])).bind(**arguments)
        if "fault" in arguments:
            parse_flat(arguments["fault"])


def test_every_action_and_probe_is_on_the_page() -> None:
    """With its arguments."""
    page = (HOW_TO / "come-from-chaos-toolkit.md").read_text("utf-8")
    assert [name for name in ctk.__all__ if f"`{name}(" not in page] == []
