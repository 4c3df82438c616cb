"""How a running proxy stands, in words: ``chaosproxy status``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from chaosproxy.control.messages import ActiveFault, Status
from chaosproxy.report.serving import rule_words


def standing(status: Status) -> Iterator[str]:
    """Lines for a terminal."""
    under_way = status.open_exchanges
    yield f"chaosproxy {status.chaosproxy}, {under_way} request{'' if under_way == 1 else 's'} under way"
    width = max(map(len, status.listeners), default=0)
    for name, listener in status.listeners.items():
        yield f"  {name:<{width}}  {listener.url}  ->  {listener.upstream}"
    if status.halted:
        yield f"stopped, nothing is injected: {status.halted}"
    for owner, scope in status.claims.items():
        yield f"in use by {owner}: {', '.join(scope.listeners)}"
    if not status.active:
        yield "no fault is active"
    for fault in status.active:
        yield from _told(fault, status)


def _told(fault: ActiveFault, status: Status) -> Iterator[str]:
    resting = "" if fault.acting else ", between two flaps"
    yield f"fault {fault.id} on {', '.join(fault.listeners)}, of {fault.owner}: {rule_words(fault.rule)}{resting}"
    ends = [at for at in (fault.lease_until, fault.ends_at) if at is not None]
    until = f"until {_moment(min(ends), status)}" if ends else "until it is healed"
    yield f"  since {_moment(fault.since, status)}, {until}, {fault.hits} hit{'' if fault.hits == 1 else 's'}"


def _moment(at: float, status: Status) -> str:
    """A time of the proxy's clock as one of the day here, and how far away it is."""
    away_s = at - status.mono
    clock = datetime.fromtimestamp(status.wall + away_s).astimezone().strftime("%H:%M:%S")
    return f"{clock} (in {away_s:.0f} s)" if away_s > 0 else f"{clock} ({-away_s:.0f} s ago)"
