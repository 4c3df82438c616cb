from __future__ import annotations

import pytest

from chaosproxy.errors import InvalidExperiment
from chaosproxy.experiment.yaml_text import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES, dotted, read_yaml, value_at


def refused(text: str) -> str:
    """The one problem of a file that cannot be read."""
    with pytest.raises(InvalidExperiment) as caught:
        read_yaml(text, "f.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value)


def problems(text: str) -> list[str]:
    """The problems of a file that can be read all the same."""
    return [str(problem) for problem in read_yaml(text, "f.yaml").problems]


WORDS = ("on", "off", "yes", "no", "y", "n", "true", "false", "null", "~", "=")
NUMBERS = ("1:30", "12:30:45", "1e3", "1.10", "0x1F", "0o17", "017", "1_000", ".inf", ".nan", "2026-11-21")
MISFIT = "a ': ' that does not fit here: quote the text, or mend the indentation"
UNENDED = "the file ends inside a quoted text, a list or a mapping (it began in line 1)"
INDENTED = "wrong indentation, or a bracket too few (it began in line 1)"


class TestTraps:
    @pytest.mark.parametrize(
        "text",
        [*WORDS, *NUMBERS],
    )
    def test_a_scalar_stays_the_text_that_it_is(self, text: str) -> None:
        """What YAML 1.1 turns into something else is text here, as a value, in a list and as a key."""
        document = read_yaml(f"value: {text}\nlist: [{text}]\n{text}: key\n", "f.yaml")

        assert document.plain() == {"value": text, "list": [text], text: "key"}

    @pytest.mark.parametrize("written", ["'5'", '"5"', "5", "|-\n  5", ">-\n  5"])
    def test_quotes_do_not_change_a_value(self, written: str) -> None:
        """Quoted, plain and block scalars of the same text are the same."""
        assert read_yaml(f"a: {written}\n", "f.yaml").plain() == {"a": "5"}

    def test_an_empty_value_is_empty_text(self) -> None:
        """Nothing becomes None."""
        assert read_yaml("a:\nb: ''\n", "f.yaml").plain() == {"a": "", "b": ""}

    def test_a_byte_order_mark_is_no_content(self) -> None:
        """Editors on Windows write one."""
        assert read_yaml("\ufeffa: b\n", "f.yaml").plain() == {"a": "b"}

    def test_a_repeated_key_names_both_lines(self) -> None:
        """The second one would silently win elsewhere."""
        assert problems("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n") == [
            "f.yaml:5:3: b.c: repeated key; it stands in line 3 already"
        ]

    def test_the_first_of_two_equal_keys_counts(self) -> None:
        """So the rest of the file can still be checked."""
        assert read_yaml("a: 1\na: 2\n", "f.yaml").plain() == {"a": "1"}

    @pytest.mark.parametrize("tagged", ["!!int 5", "!!python/object:os.system x", "!mine {a: b}", "!!set {a}"])
    def test_tags_are_refused(self, tagged: str) -> None:
        """The key decides about the type, and nothing may be constructed."""
        (problem,) = problems(f"a: {tagged}\n")

        assert problem.startswith("f.yaml:1:4: a: a tag (")

    def test_merge_keys_are_refused(self) -> None:
        """They would bring keys that stand elsewhere."""
        assert problems("a: &x {b: c}\nd:\n  <<: *x\n") == [
            "f.yaml:3:3: d: merge keys (<<) are not allowed; repeat the keys or use an alias as a value"
        ]

    def test_a_key_is_text(self) -> None:
        """A mapping as a key is an unquoted brace."""
        assert problems("{a: b}: c\n") == ["f.yaml:1:1: a key must be plain text (a { or [ as a value wants quotes)"]

    def test_a_second_document_is_refused(self) -> None:
        """Its content would be ignored."""
        assert problems("a: b\n---\nc: d\n") == ["f.yaml:2:1: a second document begins here; a file holds one"]

    def test_half_a_character_is_refused(self) -> None:
        """A lone surrogate could not be printed in any message."""
        assert problems('a: "\\ud800"\n') == [
            "f.yaml:1:4: a: an escape that is only half a character (a lone surrogate)"
        ]


class TestAliases:
    def test_an_alias_is_a_copy(self) -> None:
        """Also of a list or a mapping."""
        document = read_yaml("a: &x {b: [1, 2]}\nc: *x\n", "f.yaml")

        assert document.plain() == {"a": {"b": ["1", "2"]}, "c": {"b": ["1", "2"]}}

    def test_a_bomb_ends_at_the_limit(self) -> None:
        """Aliases of aliases of aliases would fill the memory."""
        laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))

        assert f"more than {MAX_NODES} values, aliases expanded (MAX_NODES)" in refused(f"a0: &a0 [x]\n{laughs}")

    def test_an_alias_inside_its_own_anchor_is_refused(self) -> None:
        """It would have no end."""
        assert refused("a: &x [1, *x]\n") == "f.yaml:1:11: a[1]: the alias *x stands inside what it names"

    def test_an_alias_without_anchor_is_refused(self) -> None:
        """It names nothing."""
        assert refused("a: *x\n") == "f.yaml:1:4: a: the alias *x has no anchor before it"


class TestBroken:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "f.yaml: the file is empty"),
            ("# only words\n", "f.yaml: the file is empty"),
            ("- a\n- b\n", "f.yaml:1:1: a file is a mapping at its top: key: value"),
            ("words\n", "f.yaml:1:1: a file is a mapping at its top: key: value"),
            ("a:\n\t- b\n", "f.yaml:2:1: not valid YAML: a tab cannot indent; use spaces"),
            ("a: b: c\n", "f.yaml:1:5: not valid YAML: " + MISFIT),
            ("a: @x\n", "f.yaml:1:4: not valid YAML: '@' cannot begin a value; quote it"),
            ("a: 'x\n", "f.yaml:2:1: not valid YAML: " + UNENDED),
            ("a: {b: c\n", "f.yaml:2:1: not valid YAML: " + UNENDED),
            ("a:\n  b: c\n d: e\n", "f.yaml:3:2: not valid YAML: " + INDENTED),
            ("a: b\nc\n", "f.yaml:3:1: not valid YAML: a key without its ': ' (it began in line 2)"),
            ("a: \x00\n", "f.yaml:1:4: a character that no YAML file may hold: U+0000"),
            ("a: b\nc: \x07\n", "f.yaml:2:4: a character that no YAML file may hold: U+0007"),
            ('a: "\\UFFFFFFFF"\n', "f.yaml: an escape or a %YAML line with a number that is too large"),
        ],
    )
    def test_is_said_in_words_with_its_place(self, text: str, message: str) -> None:
        """A syntax error is one sentence with line and column, not a dump of the parser."""
        assert refused(text) == message

    def test_what_the_parser_says_is_better_than_nothing(self) -> None:
        """An error without words of ours keeps PyYAML's."""
        assert "not valid YAML: " in refused("%YAML 9.9\n---\na: b\n")

    def test_a_huge_file_is_refused_before_it_is_read(self) -> None:
        """The limit has a name."""
        assert "MAX_CHARACTERS" in refused("a" * (MAX_CHARACTERS + 1))

    def test_deep_nesting_is_refused(self) -> None:
        """The stack is not for users."""
        assert f"nested deeper than {MAX_DEPTH} levels (MAX_DEPTH)" in refused("a: " + "[" * 5000)


class TestPlaces:
    TEXT = "a:\n  - b: 1\n    c: {d: 2}\n  - e\n"

    @pytest.mark.parametrize(
        ("path", "key", "value"),
        [
            (("a",), (1, 1), (2, 3)),
            (("a", 0), (2, 5), (2, 5)),
            (("a", 0, "b"), (2, 5), (2, 8)),
            (("a", 0, "c", "d"), (3, 9), (3, 12)),
            (("a", 1), (4, 5), (4, 5)),
            (("a", 0, "x", "y"), (2, 5), (2, 5)),
            (("a", 7), (1, 1), (1, 1)),
            (("z",), (1, 1), (1, 1)),
            ((), (1, 1), (1, 1)),
        ],
    )
    def test_of_keys_and_values(
        self, path: tuple[str | int, ...], key: tuple[int, int], value: tuple[int, int]
    ) -> None:
        """Lines and columns count from 1; what is absent has the place of its nearest parent's entry."""
        document = read_yaml(self.TEXT, "f.yaml")
        at_key, at_value = document.problem(path, "x", at_key=True), document.problem(path, "x")

        assert ((at_key.line, at_key.column), (at_value.line, at_value.column)) == (key, value)

    def test_a_short_form_has_no_keys(self) -> None:
        """A path does not go on inside of text."""
        assert read_yaml(self.TEXT, "f.yaml").problem(("a", 1, "expect"), "x").path == "a[1]"

    def test_paths_are_written_with_dots_and_brackets(self) -> None:
        """As in all messages."""
        assert dotted(("faults", 1, "do", "ech")) == "faults[1].do.ech"
        assert dotted(()) == ""

    def test_values_are_found_by_path(self) -> None:
        """Or not."""
        plain = read_yaml(self.TEXT, "f.yaml").plain()

        assert value_at(plain, ("a", 0, "c", "d")) == "2"
        assert value_at(plain, ("a", 9)) is None
        assert value_at(plain, ("a", "b")) is None
        assert value_at(plain, ("a", 1, "e")) is None
