"""Toxics on one direction of a connection, without a socket."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.errors import BadValue
from chaosproxy.events import RAW, Abort, Cut, End, Frame, Travelling
from chaosproxy.faults import CATALOGUE, fault_class
from chaosproxy.faults.base import Room
from chaosproxy.faults.chain import Chain
from chaosproxy.faults.toxic.base import Direction, Toxic

TOXICS = [kind for kind in CATALOGUE if kind.room is Room.TOXIC]


def toxic(name: str, **settings: Any) -> Toxic:
    """One with these settings."""
    made = fault_class(f"toxic.{name}").model_validate(settings)
    assert isinstance(made, Toxic)
    return made


class Line:
    """A chain and its clock: what left it, as words such as ``5@1.5`` (bytes), ``end@2``, ``fin@2``, ``rst@2``."""

    def __init__(self, *toxics: Toxic, seed: int = 1) -> None:
        self.chain = Chain()
        self.out: list[Travelling] = []
        for number, each in enumerate(toxics):
            stage = each.link_stage(Random(seed + number))
            if stage is not None:
                self.chain.attach(each.type, stage, 0.0)

    def feed(self, *events: Travelling) -> Line:
        for event in events:
            self.until(event.at)
            self.chain.push(event)
            self.until(event.at)
        return self

    def until(self, at: float) -> Line:
        while (due_at := self.chain.next_at()) is not None and due_at <= at:
            self.out += self.chain.advance(due_at)
        self.out += self.chain.advance(at)
        return self

    def update(self, before: Toxic, after: Toxic, at: float) -> Line:
        self.until(at)
        stage = after.link_stage(Random(9), self.chain.stage(before.type))
        assert stage is not None
        self.chain.replace(before.type, stage, at)
        return self.until(at)

    def remove(self, each: Toxic, at: float) -> Line:
        self.until(at)
        self.chain.heal(each.type, at)
        return self.until(at)

    @property
    def data(self) -> bytes:
        return b"".join(event.data for event in self.out if isinstance(event, Frame))

    def words(self) -> str:
        return " ".join(f"{_word(event)}@{event.at:g}" for event in self.out)


def _word(event: Travelling) -> str:
    if isinstance(event, Frame):
        return str(len(event.data))
    return "end" if isinstance(event, End) else {Cut.FIN: "fin", Cut.RESET: "rst"}[event.how]  # type: ignore[union-attr]


def data(at: float, size: int) -> Frame:
    """A chunk of that many bytes."""
    return Frame(at, b"x" * size, RAW)


@pytest.mark.parametrize(
    ("name", "settings", "left"),
    [
        ("latency", {"latency": "100ms"}, "5@0.1 6@1.1 end@2"),
        ("latency", {"latency": "1500ms"}, "5@1.5 6@2.5 end@2.5"),
        ("bandwidth", {"rate": 1}, "5@0.005 6@1.006 end@2"),
        ("bandwidth", {"rate": 0}, ""),
        ("slow_close", {"delay": "3s"}, "5@0 6@1 end@5"),
        ("timeout", {"timeout": "0s"}, "end@2"),
        ("timeout", {"timeout": "700ms"}, "fin@0.7"),
        ("timeout", {"timeout": "1100ms"}, "end@2"),
        ("reset_peer", {"timeout": "0s"}, "rst@0"),
        ("reset_peer", {"timeout": "3s"}, "rst@3"),
        ("slicer", {}, "5@0 6@1 end@2"),
        ("slicer", {"average_size": 2, "delay": "10ms"}, "2@0 1@0.01 2@0.02 1@1 2@1.01 1@1.02 2@1.03 end@2"),
        ("limit_data", {"bytes": 7}, "5@0 2@1 fin@1"),
        ("limit_data", {"bytes": 11}, "5@0 6@1 fin@1"),
        ("limit_data", {"bytes": 12}, "5@0 6@1 end@2"),
        ("limit_data", {"bytes": 0}, "fin@0"),
        ("noop", {}, "5@0 6@1 end@2"),
        ("down", {}, "fin@0"),
    ],
)
def test_what_a_toxic_does_to_two_chunks_and_a_fin(name: str, settings: dict[str, Any], left: str) -> None:
    """Five bytes at 0 s, six at 1 s, FIN at 2 s."""
    line = Line(toxic(name, **settings)).feed(data(0, 5), data(1, 6), End(2)).until(100)

    assert line.words() == left


def test_a_long_chunk_passes_a_thin_line_in_tenths_of_a_second() -> None:
    """Not more than the line carries, and nothing saved up."""
    line = Line(toxic("bandwidth", rate=1)).feed(data(5, 250)).until(100)

    assert line.words() == "100@5.1 100@5.2 50@5.25"


def test_a_peers_reset_is_not_slowed_down() -> None:
    """Only a FIN closes slowly."""
    assert Line(toxic("slow_close", delay="3s")).feed(Abort(1, Cut.RESET)).until(100).words() == "rst@1"


def test_each_chunk_restarts_a_timeout() -> None:
    """Silence is what it waits for."""
    line = Line(toxic("timeout", timeout="300ms")).feed(*[data(number / 10, 1) for number in range(10)]).until(100)

    assert line.words() == "fin@1.2"


class TestUpdate:
    def test_the_count_of_limit_data_survives(self) -> None:
        before, after = toxic("limit_data", bytes=100), toxic("limit_data", bytes=8)
        line = Line(before).feed(data(0, 5)).update(before, after, 1).feed(data(2, 5))

        assert line.words() == "5@0 3@2 fin@2"

    def test_a_limit_that_is_already_reached_closes_at_the_next_data(self) -> None:
        before, after = toxic("limit_data", bytes=100), toxic("limit_data", bytes=2)
        line = Line(before).feed(data(0, 5)).update(before, after, 1).feed(data(2, 5))

        assert line.words() == "5@0 fin@2"

    def test_a_reset_that_waits_counts_from_its_first_data(self) -> None:
        before, after = toxic("reset_peer", timeout="60s"), toxic("reset_peer", timeout="3s")
        line = Line(before).feed(data(1, 5)).update(before, after, 2).until(100)

        assert line.words() == "rst@4"

    def test_a_timeout_begins_anew(self) -> None:
        before, after = toxic("timeout", timeout="10s"), toxic("timeout", timeout="1s")

        assert Line(before).update(before, after, 5).until(100).words() == "fin@6"

    def test_delayed_data_is_let_go_and_a_delayed_end_is_not(self) -> None:
        before, after = toxic("latency", latency="60s"), toxic("latency", latency="1s")
        line = Line(before).feed(data(0, 5)).update(before, after, 2).feed(data(3, 6), End(3)).until(100)
        slow, slower = toxic("slow_close", delay="60s"), toxic("slow_close", delay="3s")

        assert line.words() == "5@2 6@4 end@4"
        assert Line(slow).feed(End(1)).update(slow, slower, 2).until(100).words() == "end@5"


class TestRemoval:
    def test_what_was_delayed_is_let_go(self) -> None:
        thin = toxic("bandwidth", rate=0)

        assert Line(thin).feed(data(0, 5), End(1)).remove(thin, 2).words() == "5@2 end@2"

    @pytest.mark.parametrize(("name", "end"), [("timeout", "fin@2"), ("reset_peer", "rst@2")])
    def test_what_was_eaten_ends_the_connection_at_once(self, name: str, end: str) -> None:
        eater = toxic(name, timeout="60s")

        assert Line(eater).feed(data(0, 5)).remove(eater, 2).words() == end

    def test_a_reset_that_had_no_data_leaves_no_trace(self) -> None:
        eater = toxic("reset_peer", timeout="60s")

        assert Line(eater).remove(eater, 2).feed(data(3, 5)).words() == "5@3"


def test_toxics_work_in_the_order_in_which_they_were_added() -> None:
    """A limit before a slicer counts, and closes, before the slices have left."""
    limit, late = toxic("limit_data", bytes=3), toxic("latency", latency="1s")

    assert Line(late, limit).feed(data(0, 5)).until(9).words() == "3@1 fin@1"
    assert Line(limit, late).feed(data(0, 5)).until(9).words() == "3@1 fin@1"


class TestAttributes:
    @pytest.mark.parametrize("kind", TOXICS, ids=lambda kind: kind.type)
    def test_whole_numbers_go_there_and_back(self, kind: type[Toxic]) -> None:
        given = dict.fromkeys(kind.attribute_units, 1234)
        made = kind.from_attributes(given, direction=Direction.UPSTREAM, toxicity=0.5)

        assert made.attributes() == given
        assert (made.direction, made.toxicity) == (Direction.UPSTREAM, 0.5)
        assert kind.from_attributes({}, direction=Direction.UPSTREAM, toxicity=1).attributes() == dict.fromkeys(
            given, 0
        )

    def test_units_are_toxiproxys(self) -> None:
        assert toxic("slicer", delay="10ms", average_size=3).attributes() == {
            "average_size": 3,
            "size_variation": 0,
            "delay": 10_000,
        }
        assert toxic("latency", latency="1s", jitter="5ms").attributes() == {"latency": 1000, "jitter": 5}

    @pytest.mark.parametrize(
        ("name", "attributes", "words"),
        [
            ("bandwidth", {"rate": -1}, "rate: expected a whole number of at least 0, got -1"),
            ("latency", {"latency": -1, "jitter": -2}, "jitter: expected a whole number of at least 0, got -2"),
            ("slicer", {"size_variation": 2, "average_size": 1}, "size_variation (2) is at most average_size (1)"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, name: str, attributes: dict[str, int], words: str) -> None:
        kind = fault_class(f"toxic.{name}")
        assert issubclass(kind, Toxic)

        with pytest.raises(BadValue) as refused:
            kind.from_attributes(attributes, direction=Direction.DOWNSTREAM, toxicity=1)

        assert words in str(refused.value)


class TestChance:
    @pytest.mark.parametrize("kind", TOXICS, ids=lambda kind: kind.type)
    def test_no_toxicity_poisons_nobody(self, kind: type[Toxic]) -> None:
        assert all(kind.neutral().link_stage(Random(seed)) is None for seed in range(100))

    def test_toxicity_poisons_its_share(self) -> None:
        some = toxic("noop", toxicity="30%")
        poisoned = sum(some.link_stage(Random(seed)) is not None for seed in range(2000))

        assert poisoned == pytest.approx(600, abs=80)

    def test_the_same_seed_cuts_the_same_slices(self) -> None:
        slicer = toxic("slicer", average_size=100, size_variation=50, delay="1ms")
        cuts = [Line(slicer, seed=seed).feed(data(0, 10_000)).until(100).words() for seed in (1, 1, 2)]

        assert cuts[0] == cuts[1] != cuts[2]

    def test_jitter_never_comes_early_and_never_swaps(self) -> None:
        line = Line(toxic("latency", latency="10ms", jitter="1s"))
        line.feed(*[Frame(number / 10, bytes([number]), RAW) for number in range(50)]).until(100)

        assert line.data == bytes(range(50))
        assert all(event.at >= number / 10 for number, event in enumerate(line.out))


KEEPING = st.sampled_from(
    [
        toxic("latency", latency="20ms", jitter="30ms"),
        toxic("bandwidth", rate=5),
        toxic("slow_close", delay="50ms"),
        toxic("slicer", average_size=7, size_variation=5, delay="1ms"),
        toxic("noop"),
    ]
)
EATING = st.sampled_from(
    [
        toxic("timeout", timeout="150ms"),
        toxic("reset_peer", timeout="100ms"),
        toxic("limit_data", bytes=300),
    ]
)
CHUNKS = st.lists(st.tuples(st.sampled_from([0.0, 0.005, 0.1, 0.3]), st.binary(min_size=1, max_size=400)), max_size=8)


@given(st.lists(KEEPING, max_size=4, unique_by=lambda each: each.type), CHUNKS, st.integers(0, 99))
def test_chains_of_toxics_keep_all_bytes(toxics: list[Toxic], chunks: list[tuple[float, bytes]], seed: int) -> None:
    """Whatever they do to the times, the bytes arrive in order, and then the FIN."""
    line, at = Line(*toxics, seed=seed), 0.0
    for gap_s, chunk in chunks:
        line.feed(Frame(at := at + gap_s, chunk, RAW))
    line.feed(End(at)).until(1e6)

    assert line.data == b"".join(chunk for _, chunk in chunks)
    assert [type(event) for event in line.out if not isinstance(event, Frame)] == [End]


@given(
    st.lists(st.one_of(KEEPING, EATING), min_size=1, max_size=4, unique_by=lambda each: each.type),
    CHUNKS,
    st.integers(0, 99),
)
def test_chains_with_eaters_keep_a_beginning(toxics: list[Toxic], chunks: list[tuple[float, bytes]], seed: int) -> None:
    """What arrives is a beginning of what was sent, and there is one end."""
    line, at = Line(*toxics, seed=seed), 0.0
    for gap_s, chunk in chunks:
        line.feed(Frame(at := at + gap_s, chunk, RAW))
    line.feed(End(at)).until(1e6)

    assert b"".join(chunk for _, chunk in chunks).startswith(line.data)
    assert len([event for event in line.out if not isinstance(event, Frame)]) == 1
