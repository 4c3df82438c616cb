"""What the requests of a run cost: tokens as upstreams reported them, else counted, and money by a list of prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaosproxy.journal.traffic import ExchangeRecord

PER = 1_000_000
"""Prices are for so many tokens."""
ESTIMATE_FACTOR = 2.0
"""An estimated number of tokens may be so many times too small or too large."""


@dataclass(frozen=True, slots=True)
class Price:
    """Of a million tokens, in whatever money the list is in."""

    input: float
    output: float


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by globs of models; the first glob that fits counts."""

    by_model: Mapping[str, Price]

    def of(self, model: str | None) -> Price | None:
        """The price of a model; of one that is not known, what every model costs (``*``)."""
        return next((price for glob, price in self.by_model.items() if fnmatchcase(model or "", glob)), None)


@dataclass(frozen=True, slots=True)
class Bill:
    """What one request cost. ``estimated``: at least one number of tokens is counted, not reported.

    ``money`` is None without a price; between ``low`` and ``high`` lies the truth.
    """

    tokens_in: int
    tokens_out: int
    estimated: bool
    money: float | None
    low: float = 0.0
    high: float = float("inf")


def bill_of(exchange: ExchangeRecord, prices: Prices | None) -> Bill | None:
    """What one exchange cost at its upstream; None when that was never asked."""
    if exchange.asked_at is None:
        return None
    got = exchange.received
    guessed_in = exchange.asked_tokens if got.prompt_tokens is None else 0
    guessed_out = got.tokens if got.output_tokens is None else 0
    tokens_in = (guessed_in or 0) if got.prompt_tokens is None else got.prompt_tokens
    tokens_out = guessed_out if got.output_tokens is None else got.output_tokens
    guessed = bool(guessed_in or guessed_out)
    price = None if prices is None else prices.of(exchange.model)
    if price is None:
        free = not (tokens_in or tokens_out) and prices is not None
        return (
            Bill(tokens_in, tokens_out, guessed, 0.0, 0.0, 0.0) if free else Bill(tokens_in, tokens_out, guessed, None)
        )
    sure = (tokens_in - (guessed_in or 0)) * price.input + (tokens_out - guessed_out) * price.output
    guess = (guessed_in or 0) * price.input + guessed_out * price.output
    low, high = sure + guess / ESTIMATE_FACTOR, sure + guess * ESTIMATE_FACTOR
    return Bill(tokens_in, tokens_out, guessed, (sure + guess) / PER, low / PER, high / PER)


@dataclass(slots=True)
class Spending:
    """A sum of bills. ``unpriced`` are models that cost something, and nobody knows how much."""

    prices: Prices | None = None
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: int = 0
    """Requests with tokens that were counted, not reported."""
    money: float = 0.0
    low: float = 0.0
    high: float = 0.0
    unpriced: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, exchanges: Iterable[ExchangeRecord], prices: Prices | None) -> Spending:
        """What these cost together."""
        spending = cls(prices)
        for exchange in exchanges:
            spending.add(exchange)
        return spending

    def add(self, exchange: ExchangeRecord) -> None:
        """Count one more; one that asked no upstream costs nothing."""
        bill = bill_of(exchange, self.prices)
        if bill is None:
            return
        self.requests += 1
        self.tokens_in += bill.tokens_in
        self.tokens_out += bill.tokens_out
        self.estimated += bill.estimated
        self.low += bill.low
        self.high += bill.high
        if bill.money is not None:
            self.money += bill.money
        elif self.prices is not None:
            self.unpriced[exchange.model or "an unknown model"] = None

    @property
    def tokens(self) -> int:
        """In and out."""
        return self.tokens_in + self.tokens_out

    @property
    def bounds(self) -> tuple[float, float]:
        """Between what the money lies; without an upper bound where a price is missing."""
        return self.low, float("inf") if self.unpriced else self.high

    @property
    def doubt(self) -> str:
        """Why the bounds are apart; nothing when they are not."""
        if self.unpriced:
            return f"there is no price for {', '.join(self.unpriced)}"
        if self.low == self.high:
            return ""
        return f"the tokens of {self.estimated} of {self.requests} requests are counted, their upstream did not say"
