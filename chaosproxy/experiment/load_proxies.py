"""From text to proxies file: the same YAML and the same kind of errors as an experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from chaosproxy.errors import InvalidExperiment
from chaosproxy.experiment.draft import Found
from chaosproxy.experiment.load_file import in_file_order
from chaosproxy.experiment.problems import explain
from chaosproxy.experiment.proxies import ProxiesFile
from chaosproxy.experiment.references import substitute
from chaosproxy.experiment.section import is_tcp
from chaosproxy.experiment.yaml_text import read_yaml


def parse_proxies(text: str, source: str, *, env: Mapping[str, str] | None = None) -> ProxiesFile:
    """Read a proxies file. Raises InvalidExperiment with every mistake."""
    document = read_yaml(text, source)
    filled = substitute(document, {}, env or {})
    problems = [*document.problems, *filled.problems]
    try:
        proxies = ProxiesFile.model_validate(filled.value)
    except ValidationError as error:
        problems += explain(error, ProxiesFile, document, filled)
        raise InvalidExperiment(in_file_order(problems)) from None
    problems += [document.problem(*found) for found in _contradictions(proxies)]
    if problems:
        raise InvalidExperiment(in_file_order(problems))
    return proxies


def _contradictions(proxies: ProxiesFile) -> Iterator[Found]:
    addresses: dict[str, str] = {}
    for name, listener in proxies.listeners.items():
        if listener.listen in addresses and not listener.listen.endswith(":0"):
            path = ("listeners", name, "listen")
            yield Found(path, f"{addresses[listener.listen]} listens at {listener.listen} already")
        addresses.setdefault(listener.listen, name)
    seen: set[str] = set()
    for rule_id, name, index, fault in proxies.named():
        place = ("listeners", name, "faults", index)
        if rule_id in seen:
            yield Found((*place, "id"), f"two faults are called {rule_id!r}")
        seen.add(rule_id)
        try:
            rule = fault.rule(rule_id, name)
        except ValidationError as error:
            yield from (Found(place, str(each.get("ctx", {}).get("error", each["msg"]))) for each in error.errors())
            continue
        if is_tcp(proxies.listeners[name].upstream) and (words := rule.why_not_on_tcp) is not None:
            yield Found(place, words)
