"""Profiles in experiment files and on the command line."""

from __future__ import annotations

import re

import pytest
import yaml
from jsonschema import Draft202012Validator

from chaosproxy import shipped
from chaosproxy.errors import BadValue, InvalidExperiment
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.profiles import flat_profile, parse_profile
from chaosproxy.experiment.schema import json_schema
from chaosproxy.faults import describe
from chaosproxy.plan.flat import COMMON, parse_flat
from chaosproxy.plan.rule import Rule

PROFILES = shipped.profiles()
HEAD = """experiment: v1
topology:
  entry: http://127.0.0.1:8080
  backends: {primary: {listen: "127.0.0.1:0", upstream: "http://127.0.0.1:8000"}}
timeline: {lasts: 30s}
hypothesis: [success >= 0%]
faults:
"""
OWN = {
    "pair": """
profile: v1
summary: Two.
faults:
  - {id: slow, do: {type: time.first_token, mean: 2s, jitter: 1s, dist: uniform}, share: 60%, match: {stream: true}}
  - {id: down, do: {type: http.status, status: 503, headers: {x-a: b}}}
"""
}


def parse(*entries: str) -> Experiment:
    """An experiment with these entries of ``faults``."""
    return parse_experiment(HEAD + "".join(f"  - {entry}\n" for entry in entries), "drill.yaml", profiles=OWN)


def mistakes(*entries: str) -> list[str]:
    """The lines of the message, without the file's name."""
    with pytest.raises(InvalidExperiment) as refused:
        parse(*entries)
    return [str(problem).removeprefix("drill.yaml:") for problem in refused.value.problems]


@pytest.mark.parametrize("name", PROFILES)
def test_a_shipped_profile_is_whole(name: str) -> None:
    """It can be read, says what it imitates, and all its faults can be used at once, in both places."""
    profile = parse_profile(PROFILES[name], name)
    ids = [fault.id for fault in profile.faults]

    assert profile.summary.endswith(".")
    assert profile.imitates
    assert all(re.match(r"[\w.-]+/[\w.-]+#\d+(, [\w.-]+/[\w.-]+#\d+)*: ", incident) for incident in profile.imitates)
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(COMMON)
    for line in flat_profile(name, PROFILES):
        Rule.model_validate({"listeners": ["a"], **parse_flat(line)})
    entry = f"  - {{use: {name}, target: primary, at: 1s, lasts: 9s}}\n"
    experiment = parse_experiment(HEAD + entry, "drill.yaml", profiles=PROFILES)
    assert [fault.id for fault in experiment.faults] == [f"{name.replace('_', '-')}-{each}" for each in ids]


def test_the_shipped_ones_are_those_of_the_catalogue() -> None:
    """Their names are public."""
    assert set(PROFILES) == {
        *("brownout", "provider_incident", "rate_limit_storm", "flaky_network"),
        *("slow_provider", "truncation", "zombie_streams", "retry_after_trap", "vllm_crash_loop"),
    }


def test_a_use_stands_for_all_faults_of_its_profile() -> None:
    """Among others; what stands beside it holds for each."""
    experiment = parse(
        "{target: primary, at: 1s, lasts: 2s, do: {type: sse.drop}}",
        "{use: pair, target: primary, at: 4s, lasts: 5s, min_hits: 0, match: {model: m}}",
    )
    _, slow, down = experiment.faults

    assert [fault.id for fault in experiment.faults] == ["sse-drop", "pair-slow", "pair-down"]
    assert (slow.at, slow.lasts, slow.min_hits, slow.share) == (4.0, 5.0, 0, 0.6)
    assert (slow.match.stream, slow.match.model, down.match.stream) == (True, "m", None)


def test_a_fault_of_a_profile_can_be_changed() -> None:
    """What is not named stays; another type replaces the whole fault; variables are put in."""
    text = HEAD.replace("timeline", "vars: {wait: 7s}\ntimeline") + (
        '  - {use: pair, id: mine, target: primary, at: 1s, set: {slow: {share: 90%, do: {mean: "${wait}"}}, '
        "down: {do: {type: conn.blackhole}}}}\n"
    )
    slow, down = parse_experiment(text, "drill.yaml", profiles=OWN).faults

    assert (slow.id, slow.share, down.id) == ("mine-slow", 0.9, "mine-down")
    assert describe(slow.do) == {"type": "time.first_token", "mean": "7s", "jitter": "1s"}
    assert describe(down.do) == {"type": "conn.blackhole"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{use: pear, target: primary, at: 1s}", "faults[0].use: no profile is called 'pear', did you mean 'pair'?"),
        ("{use: [pair], target: primary, at: 1s}", "faults[0].use: no profile is called"),
        ("{use: pair, target: primary, at: 1s, do: {type: sse.drop}}", "faults[0].do: the faults are those of"),
        ("{use: pair, target: primary, at: 1s, set: x}", "faults[0].set: expected a mapping"),
        ("{use: pair, target: primary, at: 1s, set: {slwo: {}}}", "faults[0].set: pair has no fault 'slwo', did you"),
        ("{use: pair, target: primary, at: 1s, lats: 2s}", "faults[0].lats: unknown key, did you mean 'lasts'?"),
        ("{use: pair, target: primary, at: 1s, set: {slow: {do: {maen: 1s}}}}", "unknown key, did you mean 'mean'?"),
    ],
)
def test_a_mistake_names_its_place_in_the_file(entry: str, message: str) -> None:
    """Line, column and the entry as it is written, once."""
    (mistake,) = mistakes(entry)

    assert mistake.startswith("8:")
    assert message in mistake


def test_what_comes_after_a_use_keeps_its_place() -> None:
    """Although the profile has more than one fault."""
    assert mistakes("{use: pair, target: primary, at: 1s}", "{target: primary, at: 1s, do: {type: sse.dorp}}") == [
        "9:35: faults[1].do: unknown fault 'sse.dorp', did you mean 'sse.drop'?"
    ]


def test_the_schema_knows_use() -> None:
    """An editor accepts it, and refuses what the loader refuses."""
    validator = Draft202012Validator(json_schema())
    right = yaml.safe_load(HEAD + "  - {use: pair, target: primary, at: 1s, set: {slow: {share: 90%}}}\n")
    wrong = yaml.safe_load(HEAD + "  - {use: pair, target: primary, at: 1s, lats: 2s}\n")

    assert validator.is_valid(right)
    assert not validator.is_valid(wrong)


def test_a_profile_becomes_lines() -> None:
    """Keys for all, and keys for one with its id before them."""
    assert flat_profile("pair streams=all down.status=529 slow.match.model=x", OWN) == [
        (
            "time.first_token id=pair-slow mean=2s jitter=1s dist=uniform share=60% match.stream=true streams=all "
            "match.model=x"
        ),
        "http.status id=pair-down status=529 headers.x-a=b streams=all",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no profile is called ''; known: pair"),
        ("pear", "no profile is called 'pear', did you mean 'pair'?; known: pair"),
        ("pair 'x", "no closing quotation"),
        ("pair share", "'share': expected key=value, or ID.key=value"),
        ("pair slwo.mean=1s", "slwo.mean: neither a fault of pair nor a key of all, did you mean 'slow'?"),
    ],
)
def test_a_wrong_line_is_explained(text: str, message: str) -> None:
    """As for a fault."""
    with pytest.raises(BadValue) as refused:
        flat_profile(text, OWN)

    assert message in str(refused.value)


def test_a_wrong_profile_file_is_explained() -> None:
    """Ours are tested; a reader of the format gets the same messages as for an experiment."""
    with pytest.raises(InvalidExperiment, match="faults: is missing"):
        parse_profile("profile: v1\nsummary: x\n", "mine")
