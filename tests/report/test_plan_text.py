"""What an experiment would do, as text."""

from __future__ import annotations

from chaosproxy.errors import Problem
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.report.plan import plan_text

FILE = """
experiment: v1
question: Does it hold?
topology:
  entry: "http://127.0.0.1:1"
  backends: {primary: {upstream: "http://127.0.0.1:2", role: primary}, spare: {upstream: "http://127.0.0.1:3"}}
load: {arrival: {rate: 10/s, process: constant}}
timeline: {warmup: 1s, lasts: 20s, quiet_tail: 4s}
faults:
  - {id: closed, target: primary, at: 2s, lasts: 4s, do: {type: conn.refuse}}
  - {id: slow, target: spare, after: closed.healed, delay: 1s, lasts: 5s, share: 20%, do: {type: time.first_token}}
hypothesis:
  - success >= 90%
  - {expect: success >= 50%, cohort: in_flight, over: closed}
  - failover_time(closed) <= 2s
  - {expect: ttft.p99 <= 2s, over: [steady, tail]}
"""


def lines() -> list[str]:
    """The plan of the file above, with one finding."""
    experiment = parse_experiment(FILE, "drill.yaml").with_seed(3)
    return plan_text(experiment, [Problem("drill.yaml", 9, 5, "faults[0]", "look here")]).splitlines()


def test_it_begins_with_what_the_run_is() -> None:
    """Name, question, length, calls and seed."""
    assert lines()[:3] == ["drill", "Does it hold?", "1s of warm-up and 20s, about 210 calls, seed 3"]


def test_faults_come_with_expected_requests_and_hits() -> None:
    """A refused connection leaves nothing that could be counted."""
    told = {line.split()[0]: line for line in lines() if line.startswith("  ") and "requests" in line}

    assert told["closed"].endswith("hits leave no trace")
    assert "20% of about 25 requests" in told["slow"]
    assert told["slow"].endswith("about 5 hits, min_hits 1")


def test_expectations_come_with_expected_samples() -> None:
    """Per window; percentiles say how many they need; what is no number of calls says so."""
    text = "\n".join(" ".join(line.split()) for line in lines())

    assert "success >= 90% over all about 200 calls, needs 1" in text
    assert "success >= 50% over closed (in_flight) the calls that are open then" in text
    assert "failover_time(closed) <= 2s over all one value per run" in text
    assert "ttft.p99 <= 2s over steady about 20 calls, needs 1000" in text
    assert "ttft.p99 <= 2s over tail about 40 calls, needs 1000" in text


def test_findings_come_last() -> None:
    """As the file's own lines, or none."""
    assert lines()[-2:] == ["findings", "  drill.yaml:9:5: faults[0]: look here"]
    assert plan_text(parse_experiment(FILE, "drill.yaml"), []).endswith("findings\n  none")


def test_probes_are_listed_without_their_addresses() -> None:
    """An address may hold a secret; what is claimed of them says how often they can look."""
    probes = 'probes: [{id: health, http: "http://us:hunter2@h/", each: 2s, during: during}]\n'
    text = FILE.replace("faults:", f"{probes}faults:").replace("  - success >= 90%", "  - probe(health).success >= 90%")

    told = plan_text(parse_experiment(text, "drill.yaml"), [])

    assert "probes\n  health   http   during the faults   each 2s   timeout 2s" in told
    assert "at most 10 runs, needs 1" in told
    assert "hunter2" not in told


def test_traffic_of_others_is_not_counted_beforehand() -> None:
    """Nobody knows how much there will be."""
    text = FILE.replace("load: {arrival: {rate: 10/s, process: constant}}", "load: {external: true}")
    text = text.replace('entry: "http://127.0.0.1:1"', 'entry: "${listener.primary}"').replace(
        "primary, at: 2s", "spare, at: 2s"
    )
    told = plan_text(parse_experiment(text, "drill.yaml").with_seed(3), [])

    assert "1s of warm-up and 20s, traffic that is not ours, seed 3" in told
    assert "20% of the requests that come   min_hits 1" in told
    assert "as many as come, needs 1000" in told
    assert " calls" not in told.replace("the calls that are open", "").replace("time_of_calls", "")
