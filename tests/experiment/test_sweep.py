"""Values in the place of those in a file, by their paths."""

from __future__ import annotations

import pytest

from chaosproxy.errors import BadValue, InvalidExperiment
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.sweep import MAX_CELLS, Sweep, grid, parse_sweep
from chaosproxy.shipped import profiles

FILE = """\
experiment: v1
vars: {rps: 5}
topology: {entry: "http://127.0.0.1:1", backends: {a: {upstream: "http://127.0.0.1:2"}}}
load: {arrival: {rate: "${rps}/s"}}
timeline: {lasts: 60s}
faults:
  - {id: part, target: a, at: 5s, lasts: 10s, do: {type: time.stall, where: "token:1"}}
  - {target: a, at: 20s, do: {type: stream.truncate, where: "token:3"}}
  - {use: brownout, target: a, at: 30s, lasts: 5s}
hypothesis:
  - success >= 95%
  - {id: quick, expect: ttft.p50 <= 1s}
"""


def read(**settings: str) -> Experiment:
    """The file with other values; ``__`` in a name is a dot."""
    return parse_experiment(FILE, "f.yaml", profiles=profiles(), settings=dict(settings))


def mistakes(path: str, value: str = "1s") -> str:
    """What is said about a path."""
    with pytest.raises(InvalidExperiment) as wrong:
        read(**{path: value})
    return str(wrong.value)


class TestPaths:
    """What a path can name."""

    def test_an_item_by_its_id(self) -> None:
        """The value stands where the file's stood, and nowhere else."""
        changed, before = read(**{"faults.part.lasts": "3s"}), read()

        assert (changed.faults[0].lasts, before.faults[0].lasts) == (3, 10)
        assert changed.faults[1:] == before.faults[1:]

    def test_an_item_by_its_number(self) -> None:
        """Also one without an id."""
        assert read(**{"faults[1].share": "20%"}).faults[1].share == 0.2

    def test_an_item_by_its_automatic_id(self) -> None:
        """A fault that has no id is named after its type."""
        assert read(**{"faults.stream-truncate.do.where": "token:9"}).faults[1] != read().faults[1]

    def test_a_fault_of_a_profile(self) -> None:
        """It has an id, too."""
        ids = [fault.id for fault in read().faults]
        assert ids[2].startswith("brownout-")

        assert read(**{f"faults.{ids[2]}.share": "7%"}).faults[2].share == 0.07

    def test_a_key_with_a_default(self) -> None:
        """It need not stand in the file; nor need its section."""
        assert read(**{"timeline.quiet_tail": "2s"}).timeline.quiet_tail == 2
        assert read(**{"safety.lease": "9s"}).safety.lease == 9

    def test_a_variable(self) -> None:
        """Whatever is made of it changes."""
        assert read(**{"vars.rps": "9"}).loads[0].arrival.rate == 9

    def test_a_whole_expectation(self) -> None:
        """A short form is one value."""
        assert read(**{"hypothesis[0]": "success >= 5%"}).hypothesis[0].expect.value == 0.05


class TestMistakes:
    """Each says what was meant, and where it comes from."""

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("faults.prt.lasts", "--sweep faults.prt.lasts: no entry of faults has the id 'prt', did you mean 'part'?"),
            ("faults.part.lsts", "--sweep faults.part.lsts=1s: faults[0].lsts: unknown key, did you mean 'lasts'?"),
            ("fautls.part.lasts", "fautls: unknown key, did you mean 'faults'?"),
            ("vars.rsp", "--sweep vars.rsp: the file has no such variable, did you mean 'rps'?"),
            ("faults[9].lasts", "faults has 5 entries, so there is no [9]"),
            ("faults[0][1]", "faults[0] is a mapping, not a list: it has no [1]"),
            ("timeline.lasts.x", "timeline.lasts is one value ('60s'), so there is no x inside"),
            ("timeline..lasts", "expected names with a dot between two of them"),
        ],
    )
    def test_a_path_that_leads_nowhere(self, path: str, said: str) -> None:
        """Refused before anything runs."""
        assert said in mistakes(path)

    def test_a_value_that_does_not_fit(self) -> None:
        """As if it stood in the file."""
        assert "--sweep timeline.lasts=5: timeline.lasts: expected a time with its unit" in mistakes(
            "timeline.lasts", "5"
        )

    def test_all_paths_at_once(self) -> None:
        """Not one after the other."""
        with pytest.raises(InvalidExperiment) as wrong:
            read(**{"faults.prt.lasts": "1s", "vars.rsp": "1"})

        assert len(wrong.value.problems) == 2

    def test_a_mistake_of_the_file_is_still_the_files(self) -> None:
        """It has its line, and no flag is blamed."""
        with pytest.raises(InvalidExperiment) as wrong:
            parse_experiment(FILE.replace("10s", "10"), "f.yaml", profiles=profiles(), settings={"vars.rps": "9"})

        assert str(wrong.value).startswith("f.yaml:7:42: faults[0].lasts: ")


class TestGrid:
    """From flags to combinations."""

    def test_every_combination(self) -> None:
        """The last path changes fastest."""
        found = grid([parse_sweep("a.b=1s, 2s"), parse_sweep("c=x,y")])

        assert [tuple(cell.values()) for cell in found] == [("1s", "x"), ("1s", "y"), ("2s", "x"), ("2s", "y")]
        assert grid([]) == [{}]

    @pytest.mark.parametrize("text", ["a.b", "=1", "a=", "a=1,,2", " =1"])
    def test_what_is_no_sweep(self, text: str) -> None:
        """The form is shown."""
        with pytest.raises(BadValue, match=r"expected PATH=VALUE,VALUE\.\.\. such as faults\.part\.lasts=1s,5s"):
            parse_sweep(text)

    def test_twice_is_a_mistake(self) -> None:
        """A value, or a path."""
        with pytest.raises(BadValue, match="1s is given twice"):
            parse_sweep("a=1s,2s,1s")
        with pytest.raises(BadValue, match="a is swept twice"):
            grid([Sweep("a", ("1",)), Sweep("a", ("2",))])

    def test_it_is_bounded(self) -> None:
        """A grid of grids would run for ever."""
        with pytest.raises(BadValue, match="MAX_CELLS"):
            grid([Sweep(name, tuple(map(str, range(11)))) for name in "abc"])
        assert MAX_CELLS < 11**3
