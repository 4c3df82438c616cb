"""A run in sentences, one for each fault: what broke, when, who served meanwhile, and after how long all was well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chaosproxy.report.facts.effects import Effect
from chaosproxy.report.facts.phases import NOBODY, Phase
from chaosproxy.steady_state.findings import FaultAccount, Verdict
from chaosproxy.steady_state.vocabulary import Unit, display
from chaosproxy.units import format_duration


def clock(seconds: float) -> str:
    """A moment of the run, to a tenth of a second."""
    return f"-{format_duration(-round(seconds, 1))}" if round(seconds, 1) < 0 else format_duration(round(seconds, 1))


def in_words(effect: Effect, verdict: Verdict | None) -> str:
    """The sentences about one fault."""
    account = None
    if verdict is not None:
        account = next((account for account in verdict.faults if account.id == effect.id), None)
    return " ".join(_sentences(effect, account))


def _sentences(effect: Effect, account: FaultAccount | None) -> Iterator[str]:
    where = " and ".join(effect.listeners) or "no listener"
    what = f"{effect.type} at {where}" if effect.type else where
    if effect.applied_at_s is None:
        yield f"{what}: it was never applied."
        return
    end = "the end of the journal" if effect.healed_at_s is None else clock(effect.healed_at_s)
    yield f"{what} from {clock(effect.applied_at_s)} to {end}, {effect.hits} hits."
    if effect.meanwhile is not None and effect.meanwhile.calls:
        yield _meanwhile(effect.meanwhile)
    if account is not None:
        yield from _recovery(account)


def _meanwhile(phase: Phase) -> str:
    success = display(phase.success or 0.0, Unit.SHARE)
    return f"Meanwhile {success} of {phase.calls} calls were right; answered by {served_words(phase.served)}."


def served_words(served: Mapping[str, int]) -> str:
    """``secondary (84), nobody (24)``."""
    answered = sorted(((calls, name) for name, calls in served.items() if name != NOBODY), reverse=True)
    words = [f"{name} ({calls})" for calls, name in answered]
    if nobody := served.get(NOBODY):
        words.append(f"nobody ({nobody})")
    return ", ".join(words)


def _recovery(account: FaultAccount) -> Iterator[str]:
    if account.failover_s is not None:
        yield f"Lasting success {display(account.failover_s, Unit.SECONDS)} after it began."
    if account.recovery_s is not None:
        targets = " and ".join(account.targets)
        yield f"{targets} served again {display(account.recovery_s, Unit.SECONDS)} after it ended."
