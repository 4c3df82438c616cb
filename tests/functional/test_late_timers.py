"""A busy process comes late to the changes of its plan: what its journal says of a moment is true all the same."""

from __future__ import annotations

import time

from chaosproxy.journal.records import FaultEdge
from chaosproxy.journal.traffic import ExchangeRecord
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Journal, answers, ask, call, plain, upstream

FLAPPING = Rule.model_validate(
    {"id": "down", "listeners": ["a"], "do": {"type": "http.status"}, "flap": {"down": "30s", "up": "30s"}}
)


async def test_an_exchange_meets_the_plan_of_its_time() -> None:
    """A flap whose timer has not rung yet has ended for those who come after its time, and begun again after that."""
    passed_s = 0.0

    def clock() -> float:
        return time.monotonic() + passed_s

    journal, statuses = Journal(), []
    async with (
        upstream(answers(plain(b"{}"))) as server_side,
        Proxy([ListenerSpec("a", "127.0.0.1:0", server_side.url)], record=journal.add, clock=clock) as proxy,
    ):
        proxy.apply([FLAPPING], owner="test", lease_s=600, seed=1)
        statuses.append((await call(proxy.urls["a"], ask(stream=False))).status)
        passed_s = 31.0
        statuses.append((await call(proxy.urls["a"], ask(stream=False))).status)
        passed_s = 61.0
        statuses.append((await call(proxy.urls["a"], ask(stream=False))).status)

    edges = [record for record in journal.records if isinstance(record, FaultEdge)]
    told = [bool(record.attached) for record in journal.records if isinstance(record, ExchangeRecord)]
    assert (statuses, told) == ([503, 200, 503], [True, False, True])
    assert [edge.edge for edge in edges] == ["applied", "flap_up", "flap_down"]
    assert [round(edge.at - edges[0].at) for edge in edges] == [0, 30, 60]
