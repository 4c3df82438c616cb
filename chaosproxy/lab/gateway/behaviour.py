"""What a resilient gateway does at the points where others go wrong, and the mutants that do go wrong there.

A behaviour is composed once, when the gateway is made. A mutant is the resilient behaviour with one part replaced, so
that a drill which cannot tell the two apart is known to be blind for exactly that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from chaosproxy.errors import UpstreamFailed
from chaosproxy.events import Kind
from chaosproxy.experiment.lab_settings import Defect, GatewaySettings
from chaosproxy.lab.gateway.cache import Kept, is_whole
from chaosproxy.lab.gateway.health import Admission
from chaosproxy.lab.gateway.pool import Weighted
from chaosproxy.lab.gateway.speech import Speech, invented_end
from chaosproxy.lab.gateway.tally import Tally
from chaosproxy.lab.gateway.upstream import Upstream
from chaosproxy.wire.dialects.base import Dialect


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The replaceable parts."""

    route: Callable[[Sequence[Upstream]], Sequence[Upstream]]
    """Upstreams in order of preference -> those that may be asked."""
    order: Callable[[Sequence[Upstream]], Sequence[Upstream]]
    """Those that may be asked -> in which order this time."""
    last_hope: Callable[[Sequence[Upstream]], Sequence[Upstream]]
    """When none is healthy: those that are asked all the same."""
    wrap: Callable[[Speech, bytes, bool], bytes]
    """A plain answer to a streamed request -> a stream. The flag says whether the client asked for usage."""
    first_token_s: Mapping[Admission, float]
    """Deadline for the first content."""
    rest_s: Callable[[float], float]
    """Retry-After -> how long the upstream is left alone."""
    may_ask_again: Callable[[bool], bool]
    """Whether a failure may lead to another attempt, given whether content has reached the client."""
    miscount: Callable[[Tally], str | None]
    """How the usage contradicts the events."""
    early_end: Callable[[Dialect, str], bytes | None]
    """What to say after a clean end without a terminal event; None: that it failed."""
    clients_fault: Callable[[int], bool]
    """Whether an error status is the client's own, and goes back as it came."""
    passes_at_once: Callable[[int], bool]
    """Whether an event of this Kind goes to the client as soon as it has come."""
    worth_keeping: Callable[[Dialect, Kept], bool]
    """Whether an answer may be served again from the cache."""
    forwards_heartbeats: bool = True
    """Whether comments and pings of the upstream reach the client, too."""
    lives_without_cache: bool = True
    """Whether a cache that fails is one that knows nothing."""


def composed(settings: GatewaySettings) -> Behaviour:
    """The behaviour that the settings ask for."""
    resilient = Behaviour(
        route=_all,
        last_hope=_all,
        wrap=_wrapped,
        first_token_s={Admission.NORMAL: settings.first_token, Admission.TRIAL: settings.trial_first_token},
        rest_s=lambda retry_after_s: min(retry_after_s, settings.retry_after_max),
        may_ask_again=lambda begun: not begun,
        miscount=Tally.miscount if settings.one_token_per_event else _no_miscount,
        early_end=lambda dialect, model: None,  # noqa: ARG005 - a cut answer is never called whole
        order=Weighted(settings.pool).order if settings.pool else _all,
        clients_fault=lambda status: status < 500 and status not in {408, 429},
        passes_at_once=lambda kind: True,  # noqa: ARG005 - whatever it is
        worth_keeping=is_whole,
    )
    if not settings.fallback:
        resilient = _no_fallback(resilient, settings)
    return _MUTANTS[settings.defect](resilient, settings) if settings.defect else resilient


def _all(upstreams: Sequence[Upstream]) -> Sequence[Upstream]:
    return upstreams


def _wrapped(speech: Speech, answer: bytes, with_usage: bool) -> bytes:  # noqa: FBT001 - see Behaviour.wrap
    return speech.as_stream(answer, with_usage=with_usage)


def _not_wrapped(speech: Speech, answer: bytes, with_usage: bool) -> bytes:  # noqa: ARG001, FBT001 - as _wrapped
    raise UpstreamFailed(UpstreamFailed.PROTOCOL, "a plain answer to a streamed request")


def _no_miscount(tally: Tally) -> str | None:  # noqa: ARG001 - as Tally.miscount
    return None


def _no_fallback(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    order = behaviour.order
    route = (lambda upstreams: upstreams[:1]) if order is _all else _all
    return replace(behaviour, route=route, order=lambda upstreams: order(upstreams)[:1], wrap=_not_wrapped)


def _no_usage_check(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, miscount=_no_miscount)


def _retry_after_content(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, may_ask_again=lambda begun: True)  # noqa: ARG005 - the mistake is not to look


def _invented_stop(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, early_end=invented_end)


def _ignored_retry_after(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, rest_s=lambda retry_after_s: 0.0)  # noqa: ARG005 - the mistake is not to look


def _no_first_token_deadline(behaviour: Behaviour, settings: GatewaySettings) -> Behaviour:
    return replace(behaviour, first_token_s=dict.fromkeys(Admission, settings.total))


def _buffered_stream(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, passes_at_once=lambda kind: bool(kind & Kind.TERMINAL))


def _swallowed_heartbeats(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, forwards_heartbeats=False)


def _hidden_client_errors(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, clients_fault=lambda status: False)  # noqa: ARG005 - the mistake is not to look


def _ignored_weights(behaviour: Behaviour, settings: GatewaySettings) -> Behaviour:
    return replace(behaviour, order=Weighted(dict.fromkeys(settings.upstreams, 1)).order)


def _cached_truncation(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, worth_keeping=lambda dialect, kept: True)  # noqa: ARG005 - the mistake is not to look


def _required_cache(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, lives_without_cache=False)


def _fail_closed(behaviour: Behaviour, _: GatewaySettings) -> Behaviour:
    return replace(behaviour, last_hope=lambda upstreams: ())  # noqa: ARG005 - the mistake is to give up


_MUTANTS: Mapping[Defect, Callable[[Behaviour, GatewaySettings], Behaviour]] = {
    "no_usage_check": _no_usage_check,
    "retry_after_content": _retry_after_content,
    "no_fallback": _no_fallback,
    "invented_stop": _invented_stop,
    "ignored_retry_after": _ignored_retry_after,
    "no_first_token_deadline": _no_first_token_deadline,
    "buffered_stream": _buffered_stream,
    "swallowed_heartbeats": _swallowed_heartbeats,
    "hidden_client_errors": _hidden_client_errors,
    "ignored_weights": _ignored_weights,
    "cached_truncation": _cached_truncation,
    "required_cache": _required_cache,
    "fail_closed": _fail_closed,
}
