"""What runs have claimed for themselves, so that two of them never meet on one listener."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chaosproxy.control.messages import Scope
from chaosproxy.plan.plan import Conflict
from chaosproxy.plan.rule import Rule


@dataclass(frozen=True, slots=True)
class _Claim:
    scope: Scope
    until: float


class Claims:
    """Scopes by owner, each with a lease. Pure: the caller brings the time. All methods may raise Conflict."""

    def __init__(self) -> None:
        self._claims: dict[str, _Claim] = {}

    def held(self, now: float) -> dict[str, Scope]:
        """Those whose lease has not run out."""
        self._claims = {owner: claim for owner, claim in self._claims.items() if claim.until > now}
        return {owner: claim.scope for owner, claim in self._claims.items()}

    def claim(self, owner: str, scope: Scope, until: float, now: float) -> None:
        """Hold ``scope`` for ``owner``."""
        self.check_scope(owner, scope, now)
        self._claims[owner] = _Claim(scope, until)

    def check_scope(self, owner: str, scope: Scope, now: float) -> None:
        """Nobody else holds any of it."""
        self._check(owner, scope.listeners, scope.faults, now)

    def check(self, owner: str, rules: Iterable[Rule], now: float) -> None:
        """Nobody else holds what these rules touch."""
        for rule in rules:
            self._check(owner, rule.listeners, (rule.id,), now)

    def renew(self, owner: str, until: float, now: float) -> None:
        """Prolong the claim of ``owner``, if it still has one."""
        if owner in self.held(now):
            self._claims[owner] = _Claim(self._claims[owner].scope, until)

    def release(self, owner: str) -> None:
        """Give back what ``owner`` holds."""
        self._claims.pop(owner, None)

    def release_all(self) -> None:
        """Give back everything."""
        self._claims.clear()

    def _check(self, owner: str, listeners: Iterable[str], faults: Iterable[str], now: float) -> None:
        for other, scope in self.held(now).items():
            if other == owner:
                continue
            if shared := sorted(set(listeners) & set(scope.listeners)):
                raise Conflict(f"listener {shared[0]!r} is in use by {other!r}")
            if shared := sorted(set(faults) & set(scope.faults)):
                raise Conflict(f"a fault {shared[0]!r} is planned by {other!r}; give yours another id")
