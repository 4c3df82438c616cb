from __future__ import annotations

from pathlib import Path

import pytest

from chaosproxy.errors import InvalidExperiment
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.problems import conceal, found
from chaosproxy.experiment.references import Filled
from tests.experiment.files import problems_of, written

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
ENVIRONMENT = {"API_TOKEN": "sk-secret-four", "UPSTREAM_URL": "sk-secret-five"}
JARGON = ("Input should", "Extra inputs", "Field required", "Value error", "validation error", "type=", "NoneType", "^")


def messages(path: Path) -> str:
    """What a user reads about a file."""
    with pytest.raises(InvalidExperiment) as caught:
        parse_experiment(path.read_text("utf-8"), path.name, env=ENVIRONMENT)
    return str(caught.value)


class TestGoldenFiles:
    @pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
    def test_every_mistake_is_told_as_it_was(self, path: Path) -> None:
        """The messages of each bad file are the text beside it: all mistakes, in the order of the file."""
        assert messages(path) == path.with_suffix(".txt").read_text("utf-8").removesuffix("\n")

    @pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
    def test_nobody_needs_to_know_our_libraries(self, path: Path) -> None:
        """No message is pydantic's or PyYAML's."""
        told = messages(path).replace("^(https?://|\\$\\{)", "")

        assert [word for word in JARGON if word in told] == []

    @pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
    def test_no_secret_is_repeated(self, path: Path) -> None:
        """Neither a value beside a telling key nor anything from the environment."""
        assert "sk-secret" not in messages(path)

    def test_each_has_its_messages(self) -> None:
        """And no message file is left over."""
        folder = Path(__file__).parent / "bad"

        assert {path.stem for path in BAD} == {path.stem for path in folder.glob("*.txt")}


class TestSingleMessages:
    """What no golden file shows."""

    @pytest.mark.parametrize(
        "key", ["Authorization", "x-api-key", "API_KEY", "OPENAI_TOKEN", "client_secret", "Set-Cookie"]
    )
    def test_a_value_beside_a_telling_key_is_not_shown(self, key: str) -> None:
        """Whatever is wrong with it."""
        filled = Filled({"headers": {key: "sk-1"}, "max_tokens": "ten"}, {})

        assert found(("headers", key), filled) == "a value that is not shown"
        assert conceal("got 'sk-1'", ("headers", key), filled) == "got a value that is not shown"
        assert found(("max_tokens",), filled) == "'ten'"

    def test_a_long_value_is_cut_short(self) -> None:
        """One screen of words, whatever the file holds."""
        (problem,) = problems_of(written(seed="x" * 500))

        assert problem == f"seed: expected a whole number, got {'x' * 60 + '...'!r}"

    @pytest.mark.parametrize(
        ("sections", "message"),
        [
            ({"seed": "99999999999999999999"}, "seed: expected at most 9.22337e+18, got '99999999999999999999'"),
            ({"seed": "9" * 5000}, f"seed: expected a whole number, got {'9' * 60 + '...'!r}"),
            ({"seed": ["1"]}, "seed: expected a whole number, got a list"),
            ({"name": {"a": "b"}}, "name: expected text, got a mapping"),
            ({"timeline": "5s"}, "timeline: expected a mapping (key: value), got '5s'"),
            ({"timeline": {"lasts": ["5s"]}}, "timeline.lasts: expected a number, got a list"),
            ({"hypothesis": [["success >= 5%"]]}, "hypothesis[0]: expected a mapping (key: value), got a list"),
            ({"hypothesis": [{"expect": ["success >= 5%"]}]}, "hypothesis[0].expect: expected text"),
            ({"hypothesis": {"expect": "success >= 5%"}}, "hypothesis: expected a list, got a mapping"),
            ({"abort": [""]}, "abort[0]: expected MEASURE OPERATOR VALUE, such as success >= 95%, got ''"),
            (
                {"report": {"formats": ["json", "junit", ["x"]]}},
                "report.formats[2]: expected html, json, junit or markdown, got a list",
            ),
            ({"systems": {"1x": {"lab": "backend"}}}, None),
        ],
    )
    def test_says_what_is_wanted_and_what_was_found(self, sections: dict[str, object], message: str | None) -> None:
        """For every kind of mistake."""
        problems = problems_of(written(**sections))

        assert (message is None and any("a name is letters, digits" in each for each in problems)) or problems == [
            message
        ]
