"""One experiment on mocks and on live backends: what the two runs say of each expectation, side by side.

A drill on the lab is only worth something where it says what the live system says, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from chaosproxy.steady_state.findings import Judged, Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """One expectation, in words; a dash where that run did not judge it. ``agree`` None: one says nothing."""

    text: str
    mock: str
    live: str
    agree: bool | None


@dataclass(frozen=True, slots=True)
class MockAndLive:
    """``mock`` and ``live`` are the ids of the runs; ``rows`` begin with the verdict."""

    mock: str
    live: str
    rows: tuple[Row, ...]


def is_counterpart(verdict: Verdict, kind: str | None) -> bool:
    """Whether a run with ``answered_by`` of that kind is the other half of a pair."""
    return {verdict.answered_by, kind} == {"mock", "live"}


def mock_and_live(one: Verdict, other: Verdict) -> MockAndLive:
    """The two, of which one is on mocks and the other on live backends."""
    mock, live = (one, other) if one.answered_by == "mock" else (other, one)
    of_mock, of_live = ({(row.text, row.window, row.cohort): row for row in each.expectations} for each in (mock, live))
    rows = [Row("verdict", mock.verdict.value, live.verdict.value, mock.verdict is live.verdict)]
    for key in dict.fromkeys([*of_mock, *of_live]):
        there, here = of_mock.get(key), of_live.get(key)
        agree = None if there is None or here is None else there.state is here.state
        rows.append(Row(f"{key[0]} [{key[1]}]", _seen(there), _seen(here), agree))
    return MockAndLive(mock.run_id or mock.name, live.run_id or live.name, tuple(rows))


def _seen(row: Judged | None) -> str:
    return "-" if row is None else f"{row.state.value}, {row.observed}"
