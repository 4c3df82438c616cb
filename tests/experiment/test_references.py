from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.errors import UserError
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.references import MAX_TEXT, Filled, fill, substitute
from chaosproxy.experiment.yaml_text import read_yaml
from tests.experiment.files import problems_of, written


def filled(text: str, *, env: dict[str, str] | None = None, **overrides: str) -> Filled:
    """A file after substitution."""
    return substitute(read_yaml(text, "f.yaml"), overrides, env or {})


def said(text: str, **options: Any) -> list[str]:
    """What is wrong with the references of a file."""
    return [str(problem) for problem in filled(text, **options).problems]


class TestVariables:
    def test_are_put_into_every_value(self) -> None:
        """Alone, inside text, several times, in lists and mappings; keys are left alone."""
        text = "vars: {a: x, b: 2}\none: ${a}\ntwo: {t: 'p${a}q${b}', '${a}': k}\nlist: ['${ b }']\n"

        assert filled(text).value == {
            "one": "x",
            "two": {"t": "pxq2", "${a}": "k"},
            "list": ["2"],
            "vars": {"a": "x", "b": "2"},
        }

    def test_the_field_decides_about_the_type(self) -> None:
        """A rate is put together from a number and its unit."""
        text = written(vars={"rps": "50", "tokens": "7"}, load={"arrival": {"rate": "${rps}/s"}})
        text = text.replace("tokens: 40", "tokens: ${tokens}")

        experiment = parse_experiment(text, "f.yaml")

        assert experiment.loads[0].arrival.rate == 50.0
        assert experiment.systems["models"].tokens == 7  # type: ignore[union-attr]

    def test_an_override_wins(self) -> None:
        """And the file's own value need not even be known."""
        result = filled("vars: {rps: '${env:RPS}'}\na: ${rps}\n", rps="50")

        assert (result.value["a"], result.vars, result.problems) == ("50", {"rps": "50"}, [])

    def test_an_override_that_the_file_does_not_have_is_refused(self) -> None:
        """A misspelt -D would change nothing."""
        with pytest.raises(UserError, match=r"-D rsp: the file has no such variable, did you mean 'rps'\?"):
            filled("vars: {rps: 20}\n", rsp="50")

    def test_an_override_of_a_file_without_variables_is_refused(self) -> None:
        """There is nothing to override."""
        with pytest.raises(UserError, match=r"-D rps: the file has no such variable$"):
            filled("a: b\n", rps="50")

    def test_a_misspelt_one_has_a_hint(self) -> None:
        """With line, column and what is known."""
        assert said("vars: {rps: 20}\na:\n  b: ${rp}/s\n") == [
            (
                "f.yaml:3:6: a.b: unknown reference ${rp}, did you mean ${rps}?; "
                "known: rps, port, entry, run.id, listener.NAME, env:NAME"
            )
        ]

    def test_they_do_not_use_each_other(self) -> None:
        """So no file can grow by squaring."""
        assert said("vars: {a: x, b: '${a}'}\nc: ${b}\n") == [
            "f.yaml:1:17: vars.b: a variable cannot use another one (${a})"
        ]

    def test_a_wrong_one_is_reported_once(self) -> None:
        """Not at every place that uses it."""
        assert said("vars: {a: '${env:NO}', b: [x]}\nc: ${a}${b}\nd: ${a}\n") == [
            "f.yaml:1:11: vars.a: the environment variable NO is not set; ${env:NO:-default} has a default"
        ]

    def test_an_open_brace_is_a_mistake(self) -> None:
        """It was meant as a reference."""
        assert said("vars: {a: x}\nb: '${a'\n") == ["f.yaml:2:4: b: '${' without its '}'"]

    def test_a_value_has_a_longest_length(self) -> None:
        """Whatever is put into it."""
        (problem,) = said("vars: {a: x}\nb: ${a}${a}\n", a="x" * (MAX_TEXT // 2 + 1))

        assert "MAX_TEXT" in problem

    def test_that_are_no_text_are_refused_where_they_stand(self) -> None:
        """And not where they are used."""
        problems = problems_of(written(vars={"a": ["x"]}, question="${a}"))

        assert problems == ["vars.a: expected text, got a list"]

    def test_that_are_no_mapping_are_the_models_business(self) -> None:
        """Substitution does not stumble over them."""
        assert filled("vars: [a]\nb: c\n").value["vars"] == ["a"]
        assert "vars: expected a mapping (key: value), got a list" in problems_of(written(vars=["a"]))


class TestEnvironment:
    def test_is_put_in(self) -> None:
        """A default counts when the variable is unset or empty, and may be empty itself."""
        text = "a: ${env:A}\nb: ${env:B:-b-b}\nc: ${env:C:-}\nd: 'x${env:D:-http://h:1/p?q}'\n"

        assert filled(text, env={"A": "1", "B": ""}).value == {"a": "1", "b": "b-b", "c": "", "d": "xhttp://h:1/p?q"}

    def test_a_missing_variable_is_a_problem(self) -> None:
        """It is never taken as empty."""
        assert said("a: ${env:NOPE}\n") == [
            "f.yaml:1:4: a: the environment variable NOPE is not set; ${env:NOPE:-default} has a default"
        ]

    def test_a_strange_form_is_a_problem(self) -> None:
        """Shells know more forms than we do."""
        assert said("a: ${env:NOPE:=x}\n") == [
            "f.yaml:1:4: a: ${env:NOPE:=x} cannot be read; write ${env:NAME} or ${env:NAME:-default}"
        ]

    def test_what_comes_from_it_is_not_repeated(self) -> None:
        """It may be secret; the message shows the reference."""
        text = written(
            timeline={"warmup": "${env:TOKEN}"},
            topology={
                "entry": "${env:TOKEN}",
                "backends": {"primary": {"upstream": "x${v}"}, "secondary": {"upstream": "models"}},
            },
            vars={"v": "${env:TOKEN}"},
        )
        problems = problems_of(text, env={"TOKEN": "sk-very-secret"})

        assert "sk-very-secret" not in "\n".join(problems)
        assert any("got '${env:TOKEN}'" in problem for problem in problems)
        assert any(problem.startswith("topology.entry: '${env:TOKEN}' is neither") for problem in problems)
        assert any(problem.startswith("topology.backends.primary.upstream: 'x${v}'") for problem in problems)


class TestLater:
    def test_what_only_the_run_knows_stays(self) -> None:
        """In the sections where it means something."""
        text = (
            "topology: {entry: '${listener.a}', backends: {a: {}}}\n"
            "systems: {x: {command: ['${port}', '${listener.a}', '${entry}', '${run.id}']}}\n"
            "report: {dir: 'out/${run.id}'}\n"
        )
        result = filled(text)

        assert result.problems == []
        assert result.value["report"] == {"dir": "out/${run.id}"}
        assert result.value["systems"] == {"x": {"command": ["${port}", "${listener.a}", "${entry}", "${run.id}"]}}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("load: {prompts: '${port}'}", "load.prompts: ${port} is known to the run only; it can be used in systems"),
            (
                "name: ${run.id}",
                "name: ${run.id} is known to the run only; it can be used in systems, probes, hooks and report",
            ),
            (
                "report: {dir: '${listener.a}'}",
                (
                    "report.dir: ${listener.a} is known to the run only; "
                    "it can be used in systems, topology, probes and hooks"
                ),
            ),
            (
                "topology: {backends: {prim: {}}}\nsystems: {g: '${listener.prin}'}",
                ("systems.g: ${listener.prin}: no backend is called 'prin', did you mean 'prim'?"),
            ),
            ("systems: {g: '${listener.a}'}", "systems.g: ${listener.a}: no backend is called 'a'"),
        ],
    )
    def test_elsewhere_it_is_refused(self, text: str, message: str) -> None:
        """Nothing would ever put a value in."""
        (problem,) = said(text)

        assert problem.endswith(message)

    def test_the_run_fills_it_in(self) -> None:
        """With its own facts."""
        facts = {"port": "81", "listener.a": "http://127.0.0.1:9"}

        assert fill("--up ${listener.a} --port=${port}", facts) == "--up http://127.0.0.1:9 --port=81"

    def test_the_run_does_not_leave_anything_open(self) -> None:
        """A fact that it does not have is an error."""
        with pytest.raises(UserError, match=r"\$\{entry\} is not known here; known: port"):
            fill("${entry}", {"port": "1"})
