"""One experiment on mocks and on live backends: what the two runs say of each expectation, side by side.

A drill on the lab is only worth something where it says what the live system says, too.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import pairwise

from chaosproxy.steady_state.findings import Judged, Verdict
from chaosproxy.steady_state.observation import State


@dataclass(frozen=True, slots=True)
class Row:
    """One expectation, in words; a dash where that run did not judge it. ``agree`` None: one is not known."""

    text: str
    mock: str
    live: str
    agree: bool | None


@dataclass(frozen=True, slots=True)
class MockAndLive:
    """``mock`` and ``live`` are the ids of the runs, each with its variables; ``rows`` begin with the verdict."""

    mock: str
    mock_with: str
    live: str
    live_with: str
    rows: tuple[Row, ...]


def is_counterpart(verdict: Verdict, kind: str | None) -> bool:
    """Whether a run with ``answered_by`` of that kind is the other half of a pair."""
    return {verdict.answered_by, kind} == {"mock", "live"}


def mock_and_live(one: Verdict, other: Verdict) -> MockAndLive:
    """The two, of which one is on mocks and the other on live backends."""
    mock, live = (one, other) if one.answered_by == "mock" else (other, one)
    of_mock, of_live = ({(row.text, row.window, row.cohort): row for row in each.expectations} for each in (mock, live))
    rows = [Row("verdict", mock.verdict.value, live.verdict.value, _agree(mock.verdict, live.verdict))]
    for key in dict.fromkeys([*of_mock, *of_live]):
        there, here = of_mock.get(key), of_live.get(key)
        agree = None if there is None or here is None else _agree(there.state, here.state)
        rows.append(Row(f"{key[0]} [{key[1]}]", _seen(there), _seen(here), agree))
    return MockAndLive(
        mock.run_id or mock.name,
        variables_of(mock.replay),
        live.run_id or live.name,
        variables_of(live.replay),
        tuple(rows),
    )


def variables_of(replay: str | None) -> str:
    """What a run was given on its command line, as ``profile=naive``; it may well explain a difference."""
    words = shlex.split(replay or "")
    return " ".join(word for flag, word in pairwise(words) if flag in {"-D", "--sweep"})


def _agree(one: State, other: State) -> bool | None:
    return None if State.INCONCLUSIVE in {one, other} else one is other


def _seen(row: Judged | None) -> str:
    return "-" if row is None else f"{row.state.value}, {row.observed}"
