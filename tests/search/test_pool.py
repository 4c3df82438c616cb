"""Where a search begins: the order of single faults."""

from __future__ import annotations

from itertools import islice

from chaosproxy.faults import describe
from chaosproxy.search.observation import Setting
from chaosproxy.search.pool import alone
from chaosproxy.search.settings_of import fault_classes

SETTING = Setting(listeners=("primary", "spare"))


def test_every_fault_is_tried_once_before_any_is_tried_twice() -> None:
    """At the first listener, then at the second: a search that ends early has seen the whole catalogue."""
    kinds = [kind.type for kind in fault_classes(SETTING.dialect)]
    first = list(islice(alone(SETTING), 2 * len(kinds)))

    assert [(listener, kind) for listener in SETTING.listeners for kind in kinds] == [
        (rule.listeners[0], rule.do.type) for rule in first
    ]


def test_no_form_is_tried_twice() -> None:
    """Each is a fault of its own, also at two listeners."""
    tried = [(rule.listeners, tuple(map(str, describe(rule.do).items()))) for rule in alone(SETTING)]

    assert len(tried) == len(set(tried))
