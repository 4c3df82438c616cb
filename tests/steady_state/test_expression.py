"""Expressions and windows: what is read, and what is said about what cannot be."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.errors import BadValue
from chaosproxy.steady_state.claims import Expression, Moment, Window
from chaosproxy.steady_state.expression import (
    OPERATORS,
    Objective,
    fault_of,
    faults_named,
    parse_expression,
    parse_objectives,
    parse_window,
)
from chaosproxy.steady_state.vocabulary import MEASURES, NOT_YET, Takes, Unit, percentile

VALUES = {Unit.SHARE: "95%", Unit.SECONDS: "800ms", Unit.COUNT: "3", Unit.NUMBER: "1.5", Unit.PER_SECOND: "3/s"}
ARGUMENTS = {
    Takes.TIME: "(500ms)",
    Takes.NOTHING: "",
    Takes.FAULT: "(part)",
    Takes.BACKEND: "(second)",
    Takes.OBJECTIVES: "(ttft <= 1s)",
}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("success >= 95%", ("success", None, None, ">=", 0.95)),
        ("silent_truncated == 0", ("silent_truncated", None, None, "==", 0.0)),
        ("ttft.p99 <= 800ms", ("ttft", "p99", None, "<=", 0.8)),
        ("ttft.p99.9<=1.5s", ("ttft", "p99.9", None, "<=", 1.5)),
        ("stall.max < 2s", ("stall", "max", None, "<", 2.0)),
        ("failover_time(part) <= 2s", ("failover_time", None, "part", "<=", 2.0)),
        ("hits( cut-2 ) > 20", ("hits", None, "cut-2", ">", 20.0)),
        ("served_by(secondary) != 0%", ("served_by", None, "secondary", "!=", 0.0)),
        ("retries_per_call <= 0.5", ("retries_per_call", "mean", None, "<=", 0.5)),
        ("retries_per_call.max <= 2", ("retries_per_call", "max", None, "<=", 2.0)),
        ("ttft.count >= 100", ("ttft", "count", None, ">=", 100.0)),
        ("goodput(ttft <= 1s, e2e < 5s) >= 90/m", ("goodput", None, "ttft <= 1s, e2e < 5s", ">=", 1.5)),
        ("probe(health).success >= 99%", ("probe.success", None, "health", ">=", 0.99)),
        ("probe( queue-2 ).value.p99.9 > -1.5", ("probe.value", "p99.9", "queue-2", ">", -1.5)),
        ("probe(queue).value.count>=3", ("probe.value", "count", "queue", ">=", 3.0)),
        ("  elapsed  >  3m ", ("elapsed", None, None, ">", 180.0)),
    ],
)
def test_expression_is_read(text: str, parts: tuple[str, str | None, str | None, str, float]) -> None:
    """An expression becomes its parts, in base units, with the default aggregate filled in."""
    assert parse_expression(text) == Expression(text.strip(), *parts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sucess >= 95%", ["unknown measure 'sucess'", "did you mean 'success'?", "error_rate"]),
        ("success >= 95", ["success is compared with a share", "percent sign"]),
        ("success >= 120%", ["at most 100%"]),
        ("silent_truncated == 0%", ["whole number without a unit"]),
        ("silent_truncated <= 1.5", ["whole number"]),
        ("retries_per_call <= 2s", ["a number without a unit"]),
        ("ttft.p99 <= 800", ["ttft is compared with a time", "unit"]),
        ("ttft <= 800ms", ["ttft has a value per call", "ttft.p99"]),
        ("ttft.p100 <= 1s", ["unknown aggregate 'p100'", "p1 to p99.9"]),
        ("ttft.meen <= 1s", ["did you mean 'mean'?"]),
        ("success.p99 >= 95%", ["success is one number already"]),
        ("success(part) >= 95%", ["takes nothing in parentheses"]),
        ("failover_time <= 2s", ["needs the id of a fault, such as failover_time(part)"]),
        ("served_by() >= 2%", ["needs the name of a backend"]),
        ("goodput >= 3/s", ["needs its objectives"]),
        ("goodput(ttft >= 1s) >= 3/s", ["an objective is ttft, tpot, e2e with < or <="]),
        ("goodput(success <= 1s) >= 3/s", ["an objective is"]),
        ("goodput(ttft <= 1) >= 3/s", ["unit"]),
        ("goodput(ttft <= 1s) >= 3", ["goodput is compared with a rate", "20/s"]),
        ("success = 95%", ["unknown operator '='", "did you mean '=='?"]),
        ("success ~ 95%", ["unknown operator '~'", "allowed: < <= == != >= >"]),
        ("success 95%", ["expected an operator", "'95%'"]),
        ("success", ["expected an operator"]),
        ("", ["expected MEASURE OPERATOR VALUE"]),
        ("95% <= success", ["expected MEASURE OPERATOR VALUE"]),
        ("apdex(0s) >= 90%", ["apdex needs a time above 0"]),
        ("apdex >= 90%", ["apdex needs its time, such as apdex(500ms)"]),
        ("probe >= 99%", ["probe needs the id of a probe, such as probe(health).success"]),
        ("probe().success >= 99%", ["probe needs the id of a probe"]),
        ("probe(health) >= 99%", ["probe(health) has .success, and .value with an aggregate"]),
        ("probe(health).sucess >= 99%", ["got .sucess, did you mean 'success'?"]),
        ("probe(health).success >= 1", ["probe(health).success is compared with a share"]),
        ("probe(health).success.p50 >= 1%", ["probe(health).success is one number already"]),
        ("probe(queue).value < 3", ["probe(queue).value has a value per run, say which: probe(queue).value.p99"]),
        ("probe(queue).value.p50 < 3s", ["a number without a unit"]),
        ("probe.success(health) >= 99%", ["probe needs the id of a probe"]),
        ("probes(health).success >= 99%", ["unknown measure 'probes'", "did you mean 'probe'?"]),
        ("acme_kindness >= 99%", ["one of your own needs --plugin MODULE"]),
        ("itl.p99 <= 20ms", ["icl", "tpot"]),
        ("success >= 95% or hung == 0", ["percent sign"]),
    ],
)
def test_expression_is_refused_in_words(text: str, words: list[str]) -> None:
    """What cannot be read is refused with the reason and what is allowed."""
    with pytest.raises(BadValue) as refused:
        parse_expression(text)

    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("operator", OPERATORS)
def test_every_measure_can_be_written(name: str, operator: str) -> None:
    """Each measure of the table has a spelling that is read, with each operator."""
    measure = MEASURES[name]
    aggregate = ".p50" if measure.sampled else ""

    spelled = f"{name}{aggregate}{ARGUMENTS.get(measure.takes, '')}"
    if measure.takes is Takes.PROBE:
        spelled = f"probe(health).{name.removeprefix('probe.')}{aggregate}"
    expression = parse_expression(f"{spelled} {operator} {VALUES[measure.unit]}")

    assert (expression.measure, expression.operator) == (name, operator)


@pytest.mark.parametrize("name", NOT_YET)
def test_measures_that_do_not_exist_yet_are_not_in_the_table(name: str) -> None:
    """A measure is either there or refused, never both."""
    assert name not in MEASURES


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the readers raise anything but BadValue."""
    for read in (parse_expression, parse_window, parse_objectives):
        with suppress(BadValue):
            read(text)


def test_objectives_are_read() -> None:
    """The argument of goodput becomes bounds in seconds."""
    assert parse_objectives("ttft <= 800ms, tpot < 50ms") == (
        Objective("ttft", "<=", 0.8),
        Objective("tpot", "<", 0.05),
    )


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("all", Moment("origin"), Moment("over")),
        ("warmup", Moment("start"), Moment("origin")),
        ("steady", Moment("origin"), Moment("injection")),
        ("tail", Moment("tail"), Moment("over")),
        ("part", Moment("part.applied"), Moment("part.healed")),
        ("part-2", Moment("part-2.applied"), Moment("part-2.healed")),
        ("part.applied+2s..part.healed", Moment("part.applied", 2.0), Moment("part.healed")),
        ("origin .. part-2.applied - 500ms", Moment("origin"), Moment("part-2.applied", -0.5)),
        ("part.applied..+2s", Moment("part.applied"), Moment("part.applied", 2.0)),
        ("-1s..part.applied", Moment("part.applied", -1.0), Moment("part.applied")),
        ("5s..10s", Moment("origin", 5.0), Moment("origin", 10.0)),
        ("1.5s..over-1s", Moment("origin", 1.5), Moment("over", -1.0)),
    ],
)
def test_window_is_read(text: str, start: Moment, end: Moment) -> None:
    """A window becomes two moments; a bare offset counts from the other end."""
    assert parse_window(text) == Window(text, start, end)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["expected all, warmup, steady, tail"]),
        ("origin", ["expected all"]),
        ("5s", ["expected all"]),
        ("part.begun..over", ["unknown mark 'part.begun'", "applied and healed"]),
        ("part.aplied..over", ["did you mean 'applied'?"]),
        ("orign..over", ["unknown mark 'orign'", "did you mean 'origin'?"]),
        ("+1s..+2s", ["must be a mark or a time"]),
        ("part.applied..-2s", ["would end before it starts", "+2s"]),
        ("+2s..part.applied", ["would end before it starts"]),
        ("5..10", ["unit"]),
        ("origin+2..over", ["unit"]),
    ],
)
def test_window_is_refused_in_words(text: str, words: list[str]) -> None:
    """What is no window is refused with the reason and what is allowed."""
    with pytest.raises(BadValue) as refused:
        parse_window(text)

    assert [word for word in words if word not in str(refused.value)] == []


def test_faults_of_a_window_are_found() -> None:
    """The linter can ask which faults a window depends on."""
    assert faults_named(parse_window("part-1.applied+1s..cut.healed")) == ("part-1", "cut")
    assert faults_named(parse_window("cut")) == ("cut",)
    assert faults_named(parse_window("steady")) == ()
    assert fault_of(Moment("over")) is None


@pytest.mark.parametrize(
    ("aggregate", "share"), [("p50", 0.5), ("p99.9", 0.999), ("p0", None), ("p99.99", None), ("mean", None)]
)
def test_percentiles_are_read(aggregate: str, share: float | None) -> None:
    """p1 to p99.9 are percentiles, nothing else is."""
    assert percentile(aggregate) == (pytest.approx(share) if share else None)
