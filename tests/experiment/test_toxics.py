"""Which faults of a file act on its Toxiproxy server, and what the verdict may expect of them."""

from __future__ import annotations

from typing import Any

import pytest

from chaosproxy.experiment.linter import lint
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.toxics import UNSEEN, backends_there, faults_there, longest_s
from chaosproxy.experiment.yaml_text import read_yaml
from chaosproxy.report.plan import plan_text
from tests.experiment.files import LAB, PARTITION, lab, problems_of, written

SERVER = {"server": "http://127.0.0.1:8474"}
SLOW: dict[str, Any] = {
    "id": "slow",
    "target": "secondary",
    "at": "1s",
    "lasts": "1s",
    "do": {"type": "toxic.latency", "latency": "5ms"},
}
CUT = {**PARTITION, "do": {"type": "partition", "via": "toxiproxy", "live_streams": "cut"}}
HALF = {**SLOW, "id": "half", "do": {**SLOW["do"], "toxicity": "50%"}}


def with_server(*faults: dict[str, Any], toxics: dict[str, str] | None = None) -> dict[str, Any]:
    """Sections of a file with a server."""
    return {"topology": {**LAB["topology"], "toxics": SERVER if toxics is None else toxics}, "faults": list(faults)}


def test_toxics_and_partitions_that_say_so_act_there() -> None:
    """All else acts in our proxy; without a server nothing acts there."""
    experiment = lab(**with_server(SLOW, CUT, {**PARTITION, "id": "here"}))

    assert list(faults_there(experiment)) == ["slow", "part"]
    assert backends_there(experiment) == ["primary", "secondary"]
    assert backends_there(lab(**with_server(SLOW))) == ["secondary"]
    assert not faults_there(lab(**with_server({**PARTITION, "id": "here"})))


def test_a_system_may_be_the_server() -> None:
    """The run starts it then."""
    systems = {**LAB["systems"], "toxi": {"command": ["toxiproxy-server"]}}

    assert lab(systems=systems, **with_server(SLOW, toxics={"server": "toxi"})).topology.toxics.server == "toxi"


def test_the_host_must_be_allowed() -> None:
    """Like every other that the run speaks to."""
    text = written(safety={"allow_hosts": ["models"]}, **with_server(SLOW))

    assert "topology.toxics.server: host '127.0.0.1' is not in safety.allow_hosts (models)" in problems_of(text)


def planned(experiment: Experiment, fault: str) -> tuple[bool, str]:
    """What the verdict may expect of its hits."""
    found = next(each for each in experiment.claims().faults if each.id == fault)
    return found.counts_hits, found.why_unknown


def test_what_the_verdict_may_expect() -> None:
    """Hits, none for want of a trace, or nobody knows."""
    experiment = lab(**with_server(SLOW, CUT, HALF))

    assert planned(experiment, "slow") == (True, "")
    assert planned(experiment, "part") == (False, "")
    assert planned(experiment, "half") == (
        True,
        "the Toxiproxy server does not say which connections its toxicity chose",
    )


def test_a_draw_is_warned_of() -> None:
    """Before the run is inconclusive."""
    text = written(**with_server(HALF, {**HALF, "id": "fine", "min_hits": 0}))
    found = [str(problem) for problem in lint(parse_experiment(text, "f.yaml"), read_yaml(text, "f.yaml"))]

    assert ["half" in line or "faults[0]" in line for line in found if "toxicity chose" in line] == [True]


def test_the_plan_shows_where_they_act() -> None:
    """The server, and the backends that get a proxy there."""
    text = plan_text(lab(**with_server(SLOW, CUT, HALF)), [])

    assert "on the Toxiproxy server http://127.0.0.1:8474\n  primary     listens at 127.0.0.1:0" in text
    assert "in front of our listener   slow, half" in text
    assert "hits are not known" in text
    assert "Toxiproxy" not in plan_text(lab(faults=[PARTITION]), [])


def test_a_lease_outlives_the_slowest_run() -> None:
    """Its limit, its last calls and its heal included."""
    experiment = lab(**with_server(SLOW))

    assert longest_s(experiment) > 2 * experiment.planned_s
    assert longest_s(lab(abort=["elapsed > 1h"], **with_server(SLOW))) > 3600


@pytest.mark.parametrize("live_streams", [None, "stall", "keep"])
def test_open_streams_can_only_be_cut(live_streams: str | None) -> None:
    """A default that cannot be honoured is refused, too."""
    do = {"type": "partition", "via": "toxiproxy", **({"live_streams": live_streams} if live_streams else {})}

    (problem,) = problems_of(written(**with_server({**PARTITION, "do": do})))

    assert problem.startswith(f"faults[0].do: live_streams: {live_streams or 'stall'}: Toxiproxy acts on every")


def test_a_tcp_upstream_is_the_servers_own_business() -> None:
    """No listener of ours stands behind it, so it needs no way to us, and nobody knows whom a fault meets."""
    backends = {**LAB["topology"]["backends"], "redis": {"listen": "0.0.0.0:26379", "upstream": "tcp://redis:6379"}}
    topology = {**LAB["topology"], "backends": backends, "toxics": {"server": "http://toxiproxy:8474"}}
    experiment = lab(topology=topology, faults=[{**SLOW, "target": "redis"}])

    assert planned(experiment, "slow") == (True, UNSEEN)
    assert "in front of tcp://redis:6379" in plan_text(experiment, [])
