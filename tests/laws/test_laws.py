"""Every fault of the catalogue keeps the laws."""

from __future__ import annotations

import pytest

from chaosproxy.faults import CATALOGUE, describe
from chaosproxy.faults.base import Fault
from tests.laws.own import check_laws
from tests.laws.samples import SAMPLES


def _name(fault: Fault) -> str:
    return " ".join(f"{key}={value}" for key, value in describe(fault).items())


@pytest.mark.parametrize("fault", SAMPLES, ids=_name)
def test_a_fault_keeps_the_laws(fault: Fault) -> None:
    """Whatever the answer, the times, the moment at which the fault comes and the moment at which its lease ends."""
    check_laws(fault)


@pytest.mark.parametrize("fault", CATALOGUE, ids=lambda fault: fault.type)
def test_a_fault_has_neutral_settings_or_says_why_not(fault: type[Fault]) -> None:
    """One of the two, never both."""
    assert (fault.neutral() is None) == (fault.no_neutral is not None)
