"""Which upstream is asked first when they have weights: smooth weighted round robin, as nginx does it.

Of any few calls in a row the shares are those of the weights, without chance: of four calls over a=3, b=1 exactly three
go to a. Who is not asked first follows by weight, and weight 0 comes last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaosproxy.lab.gateway.upstream import Upstream


class Weighted:
    """Remembers who was asked; one for all calls."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = weights
        self._credit = dict.fromkeys(weights, 0)

    def order(self, upstreams: Sequence[Upstream]) -> Sequence[Upstream]:
        """The upstream whose turn it is, then the others by weight.

        An unhealthy one keeps its turn: it is skipped by whoever asks, until that turn is its trial.
        """
        by_weight = sorted(upstreams, key=lambda upstream: -self._weights[upstream.name])
        for upstream in by_weight:
            self._credit[upstream.name] += self._weights[upstream.name]
        first = max(by_weight, key=lambda upstream: self._credit[upstream.name])
        self._credit[first.name] -= sum(self._weights.values())
        return [first, *(upstream for upstream in by_weight if upstream is not first)]
