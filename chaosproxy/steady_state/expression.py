"""Reads expressions (``ttft.p99 <= 800ms``) and windows (``part.applied+2s..part.healed``); nothing is ever evaluated.

    expression := measure ["." aggregate] ["(" argument ")"] operator value
                | "probe(" id ").success" operator value
                | "probe(" id ").value." aggregate operator value
    window     := name | moment ".." moment
    moment     := mark [offset] | offset | time

A bare offset counts from the other end of its window: ``part.healed..+5s``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from chaosproxy.errors import BadValue
from chaosproxy.steady_state.claims import Expression, Moment, Window
from chaosproxy.steady_state.vocabulary import (
    AGGREGATES,
    MEASURES,
    NOT_YET,
    Measure,
    Takes,
    Unit,
    percentile,
    read_value,
)
from chaosproxy.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

OWN_NEEDS = "one of your own needs --plugin MODULE"
"""What to say where a name is not known, and may be a plugin's."""
OPERATORS = ("<", "<=", "==", "!=", ">=", ">")

_NAME = re.compile(r"[A-Za-z_]\w*")
_AGGREGATE = re.compile(r"\.\s*([A-Za-z]\w*(?:\.\d+)?)")
_ARGUMENT = re.compile(r"\(([^()]*)\)")
_OPERATOR = re.compile(r"[<>=!~≤≥]+")
_SLIPS = {"=": "==", "=>": ">=", "=<": "<=", "≤": "<=", "≥": ">=", "<>": "!=", "===": "=="}
_EXAMPLES = {
    Takes.FAULT: "the id of a fault, such as {}(part)",
    Takes.BACKEND: "the name of a backend, such as {}(secondary)",
    Takes.TIME: "its time, such as {}(500ms)",
    Takes.OBJECTIVES: "its objectives, such as {}(ttft <= 800ms, e2e <= 10s)",
}


class _Reader:
    """A text and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._at = 0

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """What ``pattern`` matches here (its group, if it has one), or None."""
        self._skip_blanks()
        match = pattern.match(self.text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match[match.lastindex or 0]

    def rest(self) -> str:
        """All that was not read yet."""
        return self.text[self._at :].strip()

    def _skip_blanks(self) -> None:
        while self._at < len(self.text) and self.text[self._at].isspace():
            self._at += 1


def parse_expression(text: str) -> Expression:
    """Read an expression. Raises BadValue that names what is wrong and what is allowed."""
    reader = _Reader(text)
    name = reader.take(_NAME)
    if name is None:
        raise BadValue(f"expected MEASURE OPERATOR VALUE, such as success >= 95%, got {text!r}")
    if name == "probe":
        measure, argument = _of_probe(reader)
        name = f"probe({argument}).{measure.name.removeprefix('probe.')}"
        aggregate = _aggregate(measure, reader.take(_AGGREGATE), name)
    else:
        measure = _measure(name)
        aggregate = _aggregate(measure, reader.take(_AGGREGATE), name)
        argument = _argument(measure, reader.take(_ARGUMENT))
    operator = _operator(reader, text)
    try:
        value = read_value(reader.rest(), measure.unit_of(aggregate))
    except BadValue as error:
        raise BadValue(f"{name} is compared with a {_noun(measure.unit_of(aggregate))}: {error}") from None
    return Expression(text.strip(), measure.name, aggregate, argument, operator, value)


@dataclass(frozen=True, slots=True)
class Objective:
    """One condition of ``goodput``: a measure of time of a call and its bound in seconds."""

    measure: str
    operator: str
    bound_s: float


def parse_objectives(argument: str) -> tuple[Objective, ...]:
    """``ttft <= 800ms, e2e <= 5s``, the argument of goodput. Raises BadValue."""
    return tuple(_objective(part) for part in argument.split(","))


def parse_window(text: str) -> Window:
    """Read a window; a single word that is no reserved name is a fault's id. Raises BadValue."""
    text = text.strip()
    if (named := _NAMED_WINDOWS.get(text)) is not None:
        return Window(text, *named)
    first, dots, second = text.partition("..")
    if not dots:
        if _FAULT_ID.fullmatch(text) is None or text in _MARKS:
            raise BadValue(f"expected {_WINDOWS_ALLOWED}, got {text!r}")
        return Window(text, Moment(f"{text}.applied"), Moment(f"{text}.healed"))
    start, end = first.strip(), second.strip()
    before, after = _OFFSET.fullmatch(start), _OFFSET.fullmatch(end)
    if before and after:
        raise BadValue(f"one end of a window must be a mark or a time, got {text!r}")
    if before:
        return Window(text, _shifted(_moment(end), before, "-"), _moment(end))
    if after:
        return Window(text, _moment(start), _shifted(_moment(start), after, "+"))
    return Window(text, _moment(start), _moment(end))


def fault_of(moment: Moment) -> str | None:
    """The fault that a moment depends on, or None."""
    fault, dot, _ = moment.mark.rpartition(".")
    return fault if dot else None


def faults_named(window: Window) -> tuple[str, ...]:
    """The faults that a window depends on, without repetition."""
    named = (fault_of(window.start), fault_of(window.end))
    return tuple(dict.fromkeys(fault for fault in named if fault is not None))


# ------------------------------------------------------------------------------------------------------- expressions


def _measure(name: str) -> Measure:
    if name in NOT_YET:
        raise BadValue(NOT_YET[name])
    if name not in MEASURES:
        known = [row.name for row in MEASURES.values() if row.takes is not Takes.PROBE]
        listed = f"known: {', '.join(known)}, probe(id).success, probe(id).value; {OWN_NEEDS}"
        raise BadValue(f"unknown measure {name!r}{_hint(name, [*known, 'probe'])}; {listed}")
    return MEASURES[name]


def _of_probe(reader: _Reader) -> tuple[Measure, str | None]:
    """``(health).success``, behind the word probe."""
    argument = (reader.take(_ARGUMENT) or "").strip()
    if not argument:
        raise BadValue("probe needs the id of a probe, such as probe(health).success")
    what = reader.take(_AGGREGATE)
    if what not in ("success", "value"):
        found = f", got .{what}{_hint(what, ('success', 'value'))}" if what else ""
        raise BadValue(f"probe({argument}) has .success, and .value with an aggregate{found}")
    return MEASURES[f"probe.{what}"], argument


def _aggregate(measure: Measure, aggregate: str | None, name: str) -> str | None:
    allowed = f"p1 to p99.9, {', '.join(AGGREGATES)}"
    if not measure.sampled:
        if aggregate is not None:
            raise BadValue(f"{name} is one number already, it takes no .{aggregate}")
        return None
    if aggregate is None:
        if measure.aggregate is None:
            each = "run" if measure.takes is Takes.PROBE else "call"
            raise BadValue(f"{name} has a value per {each}, say which: {name}.p99, {name}.max ... ({allowed})")
        return measure.aggregate
    if aggregate not in AGGREGATES and percentile(aggregate) is None:
        hint = _hint(aggregate, (*AGGREGATES, "p50", "p95", "p99"))
        raise BadValue(f"unknown aggregate {aggregate!r}{hint}; allowed: {allowed}")
    return aggregate


def _argument(measure: Measure, argument: str | None) -> str | None:
    name, takes = measure.name, measure.takes
    if takes is Takes.NOTHING:
        if argument is not None:
            raise BadValue(f"{name} takes nothing in parentheses, got ({argument})")
        return None
    argument = (argument or "").strip()
    if not argument:
        raise BadValue(f"{name} needs {_EXAMPLES[takes].format(name)}")
    if takes is Takes.OBJECTIVES:
        parse_objectives(argument)
    if takes is Takes.TIME and parse_duration(argument) <= 0:
        raise BadValue(f"{name} needs a time above 0, got {argument}")
    return argument


def _operator(reader: _Reader, text: str) -> str:
    operator = reader.take(_OPERATOR)
    if operator in OPERATORS:
        return operator
    allowed = f"allowed: {' '.join(OPERATORS)}"
    if operator is None:
        raise BadValue(f"expected an operator in {text!r} where {reader.rest()!r} stands; {allowed}")
    hint = f", did you mean {_SLIPS[operator]!r}?" if operator in _SLIPS else ""
    raise BadValue(f"unknown operator {operator!r}{hint}; {allowed}")


def _objective(text: str) -> Objective:
    reader = _Reader(text)
    name, operator = reader.take(_NAME), reader.take(_OPERATOR)
    if name not in _OBJECTIVES or operator not in ("<", "<="):
        allowed = f"{', '.join(_OBJECTIVES)} with < or <= and a time"
        raise BadValue(f"an objective is {allowed}, such as ttft <= 800ms, got {text.strip()!r}")
    return Objective(name, operator, parse_duration(reader.rest()))


_OBJECTIVES = ("ttft", "tpot", "e2e")


def _noun(unit: Unit) -> str:
    return {Unit.SECONDS: "time", Unit.PER_SECOND: "rate"}.get(unit, unit.value)


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


# ----------------------------------------------------------------------------------------------------------- windows

_MARKS = ("start", "origin", "injection", "tail", "over", "drained")
_NAMED_WINDOWS = {
    "all": (Moment("origin"), Moment("over")),
    "warmup": (Moment("start"), Moment("origin")),
    "steady": (Moment("origin"), Moment("injection")),
    "tail": (Moment("tail"), Moment("over")),
}
_WINDOWS_ALLOWED = (
    "all, warmup, steady, tail, the id of a fault, or A..B with marks FAULT.applied, FAULT.healed, origin, over, "
    "offsets such as +2s, or times such as 5s..10s"
)
_FAULT_ID = re.compile(r"[A-Za-z_][\w-]*")
_OFFSET = re.compile(r"([+-])\s*(\S.*)")
_MARKED = re.compile(r"([A-Za-z_][\w-]*\.[A-Za-z]\w*|[A-Za-z_]\w*)\s*(?:([+-])\s*(\S.*))?")


def _moment(text: str) -> Moment:
    match = _MARKED.fullmatch(text)
    if match is None:
        return Moment("origin", parse_duration(text))
    mark, sign, offset = match[1], match[2], match[3]
    _, dot, edge = mark.rpartition(".")
    if dot and edge not in ("applied", "healed"):
        hint = _hint(edge, ("applied", "healed"))
        raise BadValue(f"unknown mark {mark!r}{hint}; a fault has applied and healed")
    if not dot and mark not in _MARKS:
        allowed = f"{', '.join(_MARKS)}, FAULT.applied, FAULT.healed"
        raise BadValue(f"unknown mark {mark!r}{_hint(mark, _MARKS)}; allowed: {allowed}")
    return Moment(mark, 0.0 if sign is None else _signed(sign, offset))


def _shifted(base: Moment, offset: re.Match[str], wanted: str) -> Moment:
    if offset[1] != wanted:
        raise BadValue(f"the window would end before it starts, write {wanted}{offset[2]}")
    return Moment(base.mark, base.offset_s + _signed(offset[1], offset[2]))


def _signed(sign: str, text: str) -> float:
    return parse_duration(text) * (-1 if sign == "-" else 1)
