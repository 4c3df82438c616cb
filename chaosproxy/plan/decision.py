"""What one active rule does with one exchange."""

from __future__ import annotations

from chaosproxy.dice import Dice
from chaosproxy.events import Exchange, value
from chaosproxy.faults.base import Capped, Metered, Shortage, Stage
from chaosproxy.plan.counters import Counters
from chaosproxy.plan.rule import Rule

SPARED = "control: the request belongs to the control cohort"
"""Why nothing is done to it."""


@value
class Decision:
    """What one active rule does with one exchange, and why. ``stage`` is None when it is not chosen.

    ``since`` is when the rule began: it tells a rule from a later one of the same id. ``edits_frames``: its fault must
    understand frames. ``on_messages``: it goes on when the connection is upgraded.
    """

    rule_id: str
    reason: str
    stage: Stage | None = None
    since: float = 0.0
    edits_frames: bool = False
    on_messages: bool = False


class Decider:
    """Decides for one rule from when it began. What does not depend on the exchange is known beforehand."""

    __slots__ = (
        "_below",
        "_capped",
        "_counters",
        "_counts",
        "_dice",
        "_draw",
        "_edits",
        "_matches_all",
        "_on_messages",
        "_quotas",
        "_rule",
        "_since",
        "_spare",
    )

    def __init__(self, rule: Rule, dice: Dice, since: float, counters: Counters) -> None:
        self._rule = rule
        self._dice = dice
        self._since = since
        self._counters = counters
        self._draw = dice.draws(rule.id)
        self._below = f"chosen below {rule.share:g}"
        self._matches_all = not rule.match.reads_request
        self._spare = rule.spare
        self._counts = rule.match.counts_exchanges
        self._edits = rule.do.edits_frames
        self._quotas = rule.do.quotas_per_minute() if isinstance(rule.do, Metered) else {}
        self._on_messages = rule.do.on_messages
        self._capped = rule.do if isinstance(rule.do, Capped) else None

    def decide(self, exchange: Exchange, now: float) -> Decision:
        """The decision, counted."""
        rule = self._rule
        refusal = self._refusal(exchange)
        if refusal is not None:
            return Decision(rule.id, refusal)
        stage = self._stage(exchange, now)
        if stage is None:
            return Decision(rule.id, "within its cap" if self._capped else "within its quota")
        self._counters.choose(rule.id)
        return Decision(rule.id, "chosen", stage, self._since, self._edits, self._on_messages)

    def _refusal(self, exchange: Exchange) -> str | None:
        rule = self._rule
        if self._spare is not None and self._spare.why_not(exchange) is None:
            return SPARED
        refusal = None if self._matches_all else rule.match.why_not(exchange)
        refusal = refusal or rule.do.lacks(exchange)
        if refusal is None and self._counts:
            refusal = rule.match.counts(self._counters.ordinal(rule.id))
        if refusal is not None:
            return refusal
        if rule.share < 1 and (draw := self._draw(exchange.dice_key)) >= rule.share:
            return f"share: drew {draw:.3f}, {self._below}"
        if rule.max_hits is not None and self._counters.chosen(rule.id) >= rule.max_hits:
            return f"max_hits: {rule.max_hits} reached"
        return None

    def _stage(self, exchange: Exchange, now: float) -> Stage | None:
        fault = self._rule.do
        if self._capped is not None and self._has_seat(self._capped, exchange):
            return None
        if not self._quotas or not isinstance(fault, Metered):
            return fault.stage(self._dice.throw(self._rule.id, exchange.dice_key), exchange)
        amounts = {"requests": 1.0, "tokens": float(exchange.prompt_tokens or 0)}
        for quota, per_minute in self._quotas.items():
            wait_s = self._counters.bucket(self._rule.id, quota, per_minute).take(amounts[quota], now)
            if wait_s > 0:
                return fault.refusal(exchange, Shortage(quota, wait_s))
        return None

    def _has_seat(self, fault: Capped, exchange: Exchange) -> bool:
        """Whether it has one; who was there before the rule neither takes a seat nor waits for one."""
        seats = self._counters.seats(self._rule.id, fault.seats_at_once())
        return not exchange.seen.open and seats.take(exchange.id, wait=fault.lets_wait())
