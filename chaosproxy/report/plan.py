"""What an experiment would do, as text: nothing has run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaosproxy.errors import Problem
from chaosproxy.experiment.entries import ExpectationEntry
from chaosproxy.experiment.model import Experiment
from chaosproxy.experiment.outside import HookEntry
from chaosproxy.experiment.probe import ProbeEntry
from chaosproxy.experiment.timeline import Span, gantt, planned_time
from chaosproxy.experiment.toxics import backends_there, faults_there, leaves_no_trace, why_unknown
from chaosproxy.experiment.traffic import (
    calls_between,
    meeting,
    part_of_cohort,
    planned_cost,
    planned_requests,
    planned_tokens,
)
from chaosproxy.steady_state.claims import Window
from chaosproxy.steady_state.observation import needed_samples
from chaosproxy.steady_state.vocabulary import MEASURES, Needs
from chaosproxy.units import format_duration, format_rate, format_share


def plan_text(experiment: Experiment, findings: Sequence[Problem]) -> str:
    """Timeline, expected hits and samples, and what the linter found."""
    blocks = [_title(experiment), _block("timeline (t = 0 is the end of the warm-up)", gantt(experiment))]
    if spans := experiment.spans():
        blocks.append(_block("faults", _columns([_fault(experiment, span) for span in spans])))
    if experiment.probes:
        blocks.append(_block("probes", _columns([_probe(probe) for probe in experiment.probes])))
    if rows := _on_server(experiment):
        blocks.append(_block(f"on the Toxiproxy server {experiment.topology.toxics.server}", _columns(rows)))
    if experiment.hooks:
        blocks.append(_block("hooks", _columns([_hook(hook) for hook in experiment.hooks])))
    if experiment.safety.limits_upstreams:
        blocks.append(_block("upstreams", _columns(list(_limits(experiment)))))
    if gate := experiment.gate:
        gated = [(entry.expect.text, _within(experiment, entry, 0.0, gate.window)) for entry in gate.expect]
        blocks.append(_block("gate", _columns(gated)))
    rows = [row for entry in experiment.hypothesis for row in _expectation(experiment, entry)]
    blocks.append(_block("hypothesis", _columns(rows)))
    blocks.append(_block("abort" if experiment.says_when_to_abort else "abort (default)", _aborts(experiment)))
    blocks.append(_block("findings", [str(finding) for finding in findings] or ["none"]))
    return "\n\n".join(blocks)


def _aborts(experiment: Experiment) -> list[str]:
    return [
        f"{abort.when.text} for {format_duration(abort.for_s)}" if abort.for_s else abort.when.text
        for abort in experiment.claims().aborts
    ]


def _title(experiment: Experiment) -> str:
    warmup_s, lasts_s = experiment.timeline.warmup, experiment.timeline.lasts
    calls = sum(load.expected_calls(warmup_s, lasts_s) for load in experiment.loads)
    seed = "a random seed" if experiment.seed is None else f"seed {experiment.seed}"
    takes = f"{format_duration(warmup_s)} of warm-up and {format_duration(lasts_s)}"
    traffic = f"about {calls:.0f} calls" if experiment.external is None else "traffic that is not ours"
    lines = [experiment.name, experiment.question, f"{takes}, {traffic}, {seed}"]
    return "\n".join(line for line in lines if line)


def _fault(experiment: Experiment, span: Span) -> tuple[str, ...]:
    fault, expected = span.fault, meeting(experiment, span)
    share = "" if fault.share == 1 else f"{format_share(fault.share)} of "
    if why_unknown(experiment, fault):
        hits = "hits are not known"
    elif leaves_no_trace(experiment, fault):
        hits = "hits leave no trace"
    else:
        hits = f"about {expected.hits:.0f} hits, min_hits {fault.min_hits}"
    if experiment.external is not None:
        return (fault.id, fault.do.type, f"{share}the requests that come", f"min_hits {fault.min_hits}")
    return (fault.id, fault.do.type, f"{share}about {expected.matching:.0f} requests", hits)


def _on_server(experiment: Experiment) -> list[tuple[str, ...]]:
    """Where toxics act: a proxy on the server for each backend that one aims at."""
    rows: list[tuple[str, ...]] = []
    there = faults_there(experiment)
    for name in backends_there(experiment):
        backend = experiment.topology.backends[name]
        behind = f"in front of {backend.upstream if backend.is_tcp else 'our listener'}"
        ids = [span.fault.id for span in experiment.spans() if span.fault.id in there and name in span.targets]
        rows.append((name, f"listens at {backend.listen}", behind, ", ".join(ids)))
    return rows


def _expectation(experiment: Experiment, entry: ExpectationEntry) -> Iterator[tuple[str, ...]]:
    cohort = f" ({entry.cohort})" if entry.cohort else ""
    for window in entry.over:
        load = f" (load {entry.load})" if entry.load else ""
        yield (f"{entry.expect.text}{load}", f"over {window.text}{cohort}", _samples(experiment, entry, window))


def _samples(experiment: Experiment, entry: ExpectationEntry, window: Window) -> str:
    if MEASURES[entry.expect.measure].needs in (Needs.FAULT, Needs.RUN):
        return "one value per run"
    if entry.cohort == "in_flight":
        return "the calls that are open then"
    start_s, end_s = planned_time(experiment, window.start), planned_time(experiment, window.end)
    if start_s is None or end_s is None:
        return "samples not known before the run"
    return _within(experiment, entry, start_s, end_s)


def _probe(probe: ProbeEntry) -> tuple[str, ...]:
    """Without its address, which may hold a secret."""
    when = {"all": "always", "before": "before the faults", "during": "during the faults", "after": "after the faults"}
    each, timeout = format_duration(probe.each), format_duration(probe.timeout)
    return (probe.id, probe.kind, when[probe.during], f"each {each}", f"timeout {timeout}")


def _hook(hook: HookEntry) -> tuple[str, ...]:
    """Without its commands, which may hold a secret."""
    lasts = "" if hook.lasts is None else f" for {format_duration(hook.lasts)}"
    return (hook.id, f"at {format_duration(hook.at)}{lasts}", f"timeout {format_duration(hook.timeout)}")


def _limits(experiment: Experiment) -> Iterator[tuple[str, ...]]:
    """What the load alone asks for, and what is allowed."""
    safety, cost = experiment.safety, planned_cost(experiment)
    if safety.max_upstream_requests is not None:
        yield (f"about {planned_requests(experiment):.0f} requests", f"at most {safety.max_upstream_requests}")
    if safety.max_upstream_rate is not None:
        yield ("on average over 5s", f"at most {format_rate(safety.max_upstream_rate)}")
    if safety.max_upstream_tokens is not None:
        tokens = f"{planned_tokens(experiment):.0f} tokens in the answers"
        yield (f"up to {tokens}, prompts come on top", f"at most {safety.max_upstream_tokens} in all")
    if safety.max_cost is not None and cost is not None:
        yield (f"up to {cost:.4g} for the answers, prompts come on top", f"at most {safety.max_cost:g} in all")


def _within(experiment: Experiment, entry: ExpectationEntry, start_s: float, end_s: float) -> str:
    if MEASURES[entry.expect.measure].needs is not Needs.PROBE:
        return _calls(experiment, entry, start_s, end_s)
    each_s = next(probe.each for probe in experiment.probes if probe.id == entry.expect.argument)
    needed = entry.min_samples or needed_samples(entry.expect.aggregate)
    return f"at most {(end_s - start_s) / each_s:.0f} runs, needs {needed}"


def _calls(experiment: Experiment, entry: ExpectationEntry, start_s: float, end_s: float) -> str:
    needed = entry.min_samples or needed_samples(entry.expect.aggregate)
    if experiment.external is not None:
        return f"as many as come, needs {needed}"
    calls = sum(
        calls_between(experiment, load, start_s, end_s) * part_of_cohort(experiment, load, entry.cohort)
        for load in experiment.loads
        if entry.load in (None, load.id)
    )
    return f"about {calls:.0f} calls, needs {needed}"


def _block(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([heading, *(f"  {line}".rstrip() for line in lines)])


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
