"""``chaosproxy profiles``, and ``serve --profile``."""

from __future__ import annotations

import json

import pytest

from chaosproxy.cli.setup import Given, set_up
from chaosproxy.errors import InvalidExperiment
from chaosproxy.faults import describe
from chaosproxy.shipped import profiles
from tests.cli.command import chaosproxy


def given(*profiles: str, faults: tuple[str, ...] = ()) -> Given:
    """What a user typed."""
    return Given(None, "http://127.0.0.1:1", faults, 1, None, None, profiles=profiles)


def test_all_profiles_are_listed_with_what_they_imitate() -> None:
    """Each with its faults as lines."""
    said = chaosproxy("profiles")

    assert said.code == 0
    assert all(f"{name}: " in said.out for name in profiles())
    assert "  like BerriAI/litellm#5964: " in said.out


def test_one_profile() -> None:
    """And how to ask for it."""
    said = chaosproxy("profiles", "truncation")

    assert said.out.startswith("truncation: ")
    assert "stream.truncate id=truncation-cut where=token:5 share=20%" in said.out
    assert "--profile truncation" in said.out
    assert "{use: truncation, target: primary" in said.out
    assert "brownout" not in said.out


def test_json() -> None:
    """For programs."""
    (one,) = json.loads(chaosproxy("profiles", "brownout", "--json").out)

    assert one.keys() == {"name", "summary", "imitates", "faults"}
    assert len(one["faults"]) == 3


def test_a_misspelt_profile_gets_a_hint() -> None:
    """Exit code 2."""
    said = chaosproxy("profiles", "brwnout")

    assert said.code == 2
    assert "did you mean 'brownout'?" in said.err


def test_serve_takes_profiles_beside_faults() -> None:
    """Ids stay unique; settings are overridden."""
    rules = set_up(given("truncation share=50% cut.where=token:9", faults=("sse.drop",))).rules

    assert [rule.id for rule in rules] == ["truncation-cut", "truncation-unmarked", "sse.drop"]
    assert {rule.share for rule in rules[:2]} == {0.5}
    assert describe(rules[0].do) == {"type": "stream.truncate", "where": "token:9"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trunc", "--profile 'trunc': no profile is called 'trunc'"),
        ("truncation cut.whre=token:9", "--profile 'truncation cut.whre=token:9': whre: unknown key, did you mean"),
    ],
)
def test_a_wrong_profile_is_explained(text: str, words: str) -> None:
    """With the flag."""
    with pytest.raises(InvalidExperiment) as refused:
        set_up(given(text))

    assert words in str(refused.value)


def test_the_same_profile_twice_needs_no_second_name() -> None:
    """It is a mistake, and said in words."""
    with pytest.raises(InvalidExperiment, match="another fault has this id"):
        set_up(given("truncation", "truncation"))
