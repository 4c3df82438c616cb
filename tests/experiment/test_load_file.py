from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaosproxy.errors import UserError
from chaosproxy.experiment.lab_settings import BackendSettings, GatewaySettings
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.topology import Command, LabBackend, LabGateway
from chaosproxy.faults.framing.truncate import StreamTruncate
from tests.experiment.files import LAB, PARTITION, SHIPPED, SMALLEST, lab, written


class TestTheSmallestFile:
    def test_has_the_defaults_of_the_documentation(self) -> None:
        """5 calls/s of openai.chat, streamed, for 20 s after 2 s, one hit at least, and no seed yet."""
        experiment = parse_experiment(SMALLEST, "some/where/drill.yaml")
        (load,), (fault,) = experiment.loads, experiment.faults

        assert load.arrival.stages(2.0, 20.0) == ((5.0, 2.0), (5.0, 20.0))
        assert (load.request.api, load.request.stream) == ("openai.chat", True)
        assert (experiment.timeline.warmup, experiment.timeline.lasts) == (2.0, 20.0)
        assert (fault.min_hits, fault.share, fault.streams, fault.lasts) == (1, 1.0, "new", 10.0)
        assert (experiment.name, experiment.seed, experiment.gate) == ("drill", None, None)
        assert experiment.heal.verify == ("gate",)
        assert experiment.safety.lease == 5.0
        assert experiment.report.formats == ("html", "json", "junit")

    def test_its_fault_is_read(self) -> None:
        """With all its settings."""
        (fault,) = parse_experiment(SMALLEST, "drill.yaml").faults

        assert fault.do == StreamTruncate.model_validate({"where": "token:5"})
        assert fault.id == "stream-truncate"

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("drill.yaml", "drill"),
            ("a\\b c\\my drill.yml", "my-drill"),
            ("<stdin>", "stdin"),
            ("...", "experiment"),
            ("x" * 300 + ".yaml", "x" * 100),
        ],
    )
    def test_is_named_after_its_file(self, source: str, name: str) -> None:
        """As far as a folder may have that name."""
        assert parse_experiment(SMALLEST, source).name == name

    def test_a_seed_of_the_caller_wins(self) -> None:
        """For a replay."""
        assert parse_experiment(f"{SMALLEST}seed: 5\n", "f.yaml").with_seed(7).seed == 7
        assert parse_experiment(f"{SMALLEST}seed: 5\n", "f.yaml").seed == 5
        assert parse_experiment(SMALLEST, "f.yaml").with_seed(9).seed == 9


class TestIds:
    def test_are_made_of_type_and_measure(self) -> None:
        """And numbered when they are taken."""
        faults = [
            {"target": "primary", "at": "1s", "lasts": "1s", "do": {"type": "stream.truncate"}},
            {"target": "primary", "at": "1s", "lasts": "1s", "do": {"type": "stream.truncate"}},
            {"id": "stream-truncate-2", "target": "primary", "at": "1s", "do": {"type": "stream.truncate"}},
        ]
        hypothesis = ["ttft.p50 <= 5s", "failover_time(sse) <= 2s", "ttft.p50 <= 4s"]
        experiment = lab(faults=faults, hypothesis=["success >= 5%"], load=[{}, {"id": "a"}, {}])

        assert [fault.id for fault in experiment.faults] == [
            "stream-truncate",
            "stream-truncate-3",
            "stream-truncate-2",
        ]
        assert [load.id for load in experiment.loads] == ["load", "a", "load-2"]
        faults[0]["id"] = "sse"
        assert [each.id for each in lab(faults=faults[:1], hypothesis=hypothesis).hypothesis] == [
            "ttft.p50",
            "failover_time",
            "ttft.p50-2",
        ]


class TestSections:
    def test_systems_are_parts_of_the_lab_or_commands(self) -> None:
        """Each with a model of its own."""
        command = {"command": ["fakeai", "${port}"], "ready": {"http": "http://127.0.0.1:${port}/health"}}
        systems = lab(systems={**LAB["systems"], "fakeai": command}).systems

        assert isinstance(systems["models"], LabBackend)
        assert isinstance(systems["models"], BackendSettings)
        assert isinstance(systems["gateway"], LabGateway)
        assert isinstance(systems["gateway"], GatewaySettings)
        assert isinstance(systems["fakeai"], Command)
        assert systems["fakeai"].ready is not None
        assert systems["fakeai"].ready.within == 30.0

    @pytest.mark.parametrize(
        ("listen", "address"),
        [(":9001", "127.0.0.1:9001"), ("0.0.0.0:80", "0.0.0.0:80"), ("[::1]:0", "[::1]:0"), ("box:1", "box:1")],
    )
    def test_listeners_are_on_loopback_unless_an_address_says_otherwise(self, listen: str, address: str) -> None:
        """A port alone binds nothing else."""
        topology = {**LAB["topology"], "backends": {"primary": {"upstream": "models", "listen": listen}}}

        assert lab(topology=topology).topology.backends["primary"].listen == address

    @pytest.mark.parametrize("target", ["secondary", "fallback", ["secondary"], ["fallback", "secondary"]])
    def test_a_target_is_a_name_a_list_or_a_role(self, target: object) -> None:
        """All of them name listeners in the end."""
        fault = {**PARTITION, "target": target}

        assert lab(faults=[fault]).rules()["part"].listeners == ("secondary",)

    def test_a_load_is_one_entry_or_a_list(self) -> None:
        """Both are the same for the run."""
        assert lab(load={"arrival": {"rate": "7/s"}}).load == lab(load=[{"arrival": {"rate": "7/s"}}]).load


class TestRules:
    def test_hold_what_proxies_need(self) -> None:
        """Listeners by name, the planned duration as their own end."""
        cut = {
            "id": "cut",
            "target": ["primary", "fallback"],
            "after": "part.applied",
            "delay": "2s",
            "do": {"type": "stream.truncate"},
            "share": "20%",
            "match": {"stream": "true", "each": "3"},
            "flap": {"up": "3s", "down": "2s"},
            "streams": "all",
            "max_hits": "9",
        }
        rules = lab(faults=[PARTITION, cut]).rules()

        assert list(rules) == ["part", "cut"]
        assert (rules["part"].listeners, rules["part"].lasts) == (("primary",), 15.0)
        rule = rules["cut"]
        assert (rule.listeners, rule.lasts, rule.share, rule.max_hits) == (("primary", "secondary"), 38.0, 0.2, 9)
        assert (rule.match.stream, rule.match.each, rule.streams) == (True, 3, "all")
        assert rule.flap is not None
        assert (rule.flap.up, rule.flap.down) == (3.0, 2.0)


class TestShippedExperiments:
    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
    def test_parse(self, path: Path) -> None:
        """Every file of experiments/ is valid as it stands."""
        assert parse_experiment(path.read_text("utf-8"), str(path)).hypothesis

    def test_the_first_drill_is_short(self) -> None:
        """Its load takes less than half a minute, so the whole of it stays under 40 s."""
        path = next(path for path in SHIPPED if path.stem == "first-drill")

        assert parse_experiment(path.read_text("utf-8"), str(path)).planned_s <= 30


SEEDS = [SMALLEST, written(faults=[PARTITION]), *(path.read_text("utf-8") for path in SHIPPED)]
_SIGNS = (
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "\n",
    "\t",
    "  ",
    "'",
    '"',
    "%",
    "|",
    ">",
    "#",
    "\x00",
    "\ud800",
    "\ufeff",
)
_WORDS = ("&a ", "*a", "!!int ", "<<: ", "${", "${env:X}", "-1", "9" * 30, "null", "é", "partition", "after: a.healed")
PIECES = st.sampled_from([*_SIGNS, *_WORDS, ""])


def words_about(text: str) -> str:
    """What a user is told about a file; anything but words breaks the test."""
    try:
        experiment = parse_experiment(text, "f.yaml")
    except UserError as error:
        return str(error)
    return f"{len(experiment.claims().hypothesis)} expectations, {len(experiment.rules())} faults"


class TestWhateverIsWritten:
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(SEEDS), st.data())
    def test_a_damaged_file_is_a_mistake_of_the_user(self, text: str, data: st.DataObject) -> None:
        """Text cut, replaced and put in anywhere: the file is read, or refused with words; nothing else is raised."""
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(text)))
            length = data.draw(st.integers(0, 12))
            text = text[:at] + data.draw(PIECES) + text[at + length :]
        assert words_about(text)

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_any_value_anywhere_is_a_mistake_of_the_user(self, data: st.DataObject) -> None:
        """The same with a value of another shape in any place of a valid file."""
        value: Any = yaml.safe_load(data.draw(st.sampled_from(SEEDS)))
        keys = list(value)
        inside: Any = value
        key: Any = data.draw(st.sampled_from(keys))
        while isinstance(inside[key], dict | list) and inside[key] and data.draw(st.booleans()):
            inside = inside[key]
            key = data.draw(st.sampled_from(list(inside) if isinstance(inside, dict) else list(range(len(inside)))))
        leaf = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
        lists, mappings = st.lists(leaf, max_size=2), st.dictionaries(st.text(max_size=5), leaf, max_size=2)
        inside[key] = data.draw(leaf | lists | mappings)
        assert words_about(yaml.safe_dump(value))
