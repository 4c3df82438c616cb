from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.twin.api_cases import CASES, Call, Case
from tests.twin.twin_kit import Answer, Server, Twins, free_port, same_ports

pytestmark = pytest.mark.real

GENERAL = {
    "no-logger": ('"Logger":{},', ""),
    "empty-list": ('"proxies":null', '"proxies":[]'),
}
"""Deviations that show in many answers: taken out everywhere but in their own cases, where they must show."""


HERE = [case for case in CASES if not case.ipv6 or socket.has_dualstack_ipv6()]


def played(server: Server, case: Case, known: Mapping[str, str]) -> list[Answer]:
    """The answers of one server, with the names of ports."""
    ports = {name: port for port, name in known.items()}
    answers = []
    for call in case.calls:
        body = call.body if isinstance(call.body, bytes) else _filled(call, ports)
        answers.append(server.call(call.method, call.path, body, call.headers))
    return same_ports(answers, known)


def _filled(call: Call, ports: Mapping[str, str]) -> Any:
    text = call.body if isinstance(call.body, str) else json.dumps(call.body)
    for name, port in ports.items():
        text = text.replace(name, port)
    return text


def without(answers: list[Answer], deviation: str | None) -> list[Answer]:
    """The reference's answers without what ours leave out everywhere."""
    for name, (old, new) in GENERAL.items():
        if name != deviation:
            answers = [replace(each, body=each.body.replace(old, new)) for each in answers]
    return answers


@pytest.mark.parametrize("case", HERE, ids=[case.name[:60] for case in HERE])
def test_answers_are_the_same(case: Case, twins: Twins) -> None:
    """Status, headers and bytes, but for a listed deviation, which must be there."""
    theirs = without(played(twins.real, case, {str(free_port()): "@free@"}), case.deviation)
    mine = played(twins.ours, case, {str(free_port()): "@free@"})

    if case.deviation is None:
        assert mine == theirs
    else:
        assert mine != theirs, f"the deviation {case.deviation} is none any more"
        assert [each.status for each in mine] == list(case.statuses)


def test_there_are_enough_cases() -> None:
    """At least 150 that are alike, each with a name of its own."""
    names = Counter(case.name for case in CASES)

    assert sum(case.deviation is None for case in CASES) >= 150
    assert [name for name, count in names.items() if count > 1] == []
