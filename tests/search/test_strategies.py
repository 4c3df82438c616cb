"""What the strategies draw: the whole catalogue as far as a dialect knows it, and only what the linter accepts."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from chaosproxy.events import Exchange
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.model import Experiment
from chaosproxy.faults import CATALOGUE, fault_class
from chaosproxy.faults.base import Fault
from chaosproxy.search.case import Case, case_of, case_text
from chaosproxy.search.observation import Plan, Setting
from chaosproxy.search.promise import Broken, Flaw
from chaosproxy.search.settings_of import fault_classes, settings_of
from chaosproxy.strategies import experiments, faults, plans
from chaosproxy.wire.dialects import DIALECTS

SPOKEN = [known.name for known in DIALECTS if known.name != "raw"]
_quick = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
_thorough = settings(max_examples=2000, database=None, deadline=None, phases=(Phase.generate, Phase.shrink))
TWO = Setting(listeners=("primary", "spare"), tokens=7, deadline_s=30.0, seed=4)


@pytest.mark.parametrize("dialect", SPOKEN)
def test_faults_can_act_in_their_dialect(dialect: str) -> None:
    """None is drawn that could only miss, whatever its settings."""
    request = Exchange("x-1", "primary", 1, "POST", "/", dialect, "m", True)

    @_quick
    @given(faults(dialect))
    def hold(fault: Fault) -> None:
        assert type(fault)().lacks(request) is None

    hold()


def test_every_fault_of_the_catalogue_is_drawn_somewhere() -> None:
    """But for those about the messages of a WebSocket, which no LLM client of ours speaks."""
    drawn = {kind for dialect in SPOKEN for kind in fault_classes(dialect)}

    missing = {"ws.close", "ws.delay", "ws.drop", "body.ignore_range", "body.range_416"}
    assert {kind.type for kind in set(CATALOGUE) - drawn} == missing


@pytest.mark.parametrize("kind", [kind for kind in CATALOGUE if not kind().on_messages], ids=lambda kind: kind.type)
def test_settings_are_read_from_the_model(kind: type[Fault]) -> None:
    """Every value differs from the default and is none that only a Toxiproxy server can apply."""
    defaults = kind().model_dump(mode="json", by_alias=True)

    for name, values in settings_of(kind).items():
        assert values
        assert defaults[name] not in values
        assert not any(value == "toxiproxy" for value in values)


def test_choices_of_a_setting_are_all_tried() -> None:
    """An enumeration gives each of its values but the default."""
    assert settings_of(fault_class("sse.malformed"))["mode"] == ("garbage", "not_json", "json_null")


def test_a_plan_shrinks_to_one_fault_with_its_defaults() -> None:
    """For all requests. Which fault that is is up to how many settings it has."""
    (smallest,) = find(plans(3), lambda plan: True, settings=_thorough)

    assert smallest.do == type(smallest.do)()
    assert not smallest.match.reads_request


def test_a_place_shrinks_to_the_first_token() -> None:
    """Where a truncation lies is the simplest that cuts text."""
    cut = find(faults(), lambda fault: fault.type == "stream.truncate", settings=_thorough)

    assert cut == fault_class("stream.truncate").model_validate({"where": "token:1"})


@_quick
@given(plans(4, listeners=TWO.listeners))
def test_ids_differ_and_listeners_exist(plan: Plan) -> None:
    """So that a proxy takes the plan as it is."""
    assert 1 <= len(plan) <= 4
    assert len({rule.id for rule in plan}) == len(plan)
    assert {name for rule in plan for name in rule.listeners} <= set(TWO.listeners)


@_quick
@given(plans(3, listeners=TWO.listeners), st.sampled_from(Flaw))
def test_a_case_survives_its_file(plan: Plan, flaw: Flaw) -> None:
    """Written, linted and read back it is the same plan in the same world."""
    text = case_text(Case("app:call", plan, TWO, 9, Broken(flaw, "broke\nit", str(flaw))))

    assert case_of(parse_experiment(text, "case.yaml"), "case.yaml") == ("app:call", plan, TWO, 9)


@_quick
@given(experiments(2))
def test_experiments_are_whole(experiment: Experiment) -> None:
    """They have a lab, a listener and the default promise as their hypothesis."""
    assert experiment.faults
    assert [entry.id for entry in experiment.hypothesis][:2] == ["hung", "silent_truncated"]


def test_no_fault_for_a_dialect_is_said() -> None:
    """A strategy that could draw nothing is a mistake of whoever asked for it."""
    with pytest.raises(ValueError, match="none of these faults can act"):
        faults("openai.chat", [fault_class("ws.drop")])
